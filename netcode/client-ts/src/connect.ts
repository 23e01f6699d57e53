/** The beginning of a session. */

import { Client } from "./client.ts";
import { ConnectionClosed } from "./errors.ts";
import { attempt, helloOf, schemaOf } from "./handshake.ts";
import type { ConnectOptions } from "./options.ts";
import { NO_SCHEMA } from "./requests.ts";
import { readTicket } from "./ticket.ts";

/**
 * Connects. The promise fails with {@link ConnectionClosed} when the server does not answer or turns us away,
 * {@link SchemaMismatch} when it runs another version of the module, {@link ProtocolError} when it speaks nonsense.
 */
export function connect(options: ConnectOptions): Promise<Client> {
  return new Promise((resolve, reject) => {
    const start = (resume: ReturnType<typeof readTicket>) => {
      attempt(options, helloOf(options, options.module?.hash ?? NO_SCHEMA, resume), options.conditions, {
        welcomed(socket, welcome, bytes) {
          const client = new Client(options, schemaOf(welcome, options.module), socket, welcome, bytes, resume?.results ?? 0);
          resolve(client);
          return client.receiver();
        },
        failed(error) {
          const refused = resume && error instanceof ConnectionClosed && error.reason === "Expired";
          if (refused) start(undefined);
          else reject(error);
        },
      });
    };
    start(readTicket(options.tickets?.load() ?? null));
  });
}
