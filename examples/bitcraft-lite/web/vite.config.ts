import { defaultClientConditions, defineConfig } from "vite";

export default defineConfig({
  base: "./",
  // The client SDK is built from its TypeScript, so there is nothing to build first.
  resolve: { conditions: ["source", ...defaultClientConditions] },
  server: { fs: { allow: ["../../.."] } },
});
