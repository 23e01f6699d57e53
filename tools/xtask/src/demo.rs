//! bitcraft-lite on this machine: server, bots and web page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::build::{Profile, module, programs};
use crate::setup::{self, CLIENT, WEB};
use crate::shell::{Background, command, root, run as start};
use crate::{Result, codegen};

/// How long the server may take to compile the module and open its port.
const START_MAX: Duration = Duration::from_secs(60);
/// Late ticks beyond this share are a world that misbehaves.
const LATE_SHARE_MAX: f64 = 0.01;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run without a page for so long, then write a summary and exit.
    #[arg(long)]
    seconds: Option<u64>,
    /// How many bots play.
    #[arg(long, default_value_t = 20)]
    bots: u32,
    /// Where the summary goes; printed without this.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Begins a new island. Without this, the one of the last demo goes on, as it is kept in `target/demo/data`; a run of
    /// `--seconds` is always fresh.
    #[arg(long)]
    fresh: bool,
    /// The server's port.
    #[arg(long, default_value_t = 7778)]
    port: u16,
    /// The web page's port.
    #[arg(long, default_value_t = 7780)]
    page_port: u16,
}

/// The command.
pub(crate) fn run(args: &Args) -> Result {
    match args.seconds {
        Some(seconds) => {
            let summary = headless(seconds, args.bots, args.port)?;
            let text = serde_json::to_string_pretty(&summary)?;
            match &args.json {
                Some(file) => fs::write(file, text)?,
                None => println!("{text}"),
            }
            judge(&summary)
        }
        None => play(args),
    }
}

/// A short run for the tests.
pub(crate) fn check() -> Result {
    let summary = headless(8, 8, 7791)?;
    println!("{}", serde_json::to_string_pretty(&summary)?);
    judge(&summary)
}

/// Runs `body` with the addresses of a page and a server that have a few bots in them.
pub(crate) fn with_page(body: impl FnOnce(&str, &str) -> Result) -> Result {
    let world = World::start(7792, None, &fresh_data(7792)?)?;
    let page = Page::start(7793)?;
    let bots = bots_command(&world.programs, 7792, 6, None, None);
    let bots = Background::start("bots", bots)?;
    let done = body(&page.address, &world.address());
    drop(page);
    bots.stop()?;
    world.stop()?;
    done
}

fn play(args: &Args) -> Result {
    let data = root().join("target/demo/data");
    if args.fresh {
        remove(&data)?;
    }
    let goes_on = data.exists();
    let mut world = World::start(args.port, None, &data).map_err(|error| {
        let hint = "; `cargo xtask demo --fresh` begins a new island";
        format!("{error}{}", if goes_on { hint } else { "" })
    })?;
    let mut page = Page::start(args.page_port)?;
    let mut bots =
        Background::start("bots", bots_command(&world.programs, args.port, args.bots, None, None))?;
    println!(
        "\n  The world is up: open \x1b[1;36m{}/?server={}\x1b[0m\n  Ctrl-C ends it.\n",
        page.address,
        world.address()
    );
    loop {
        world.server.check()?;
        page.server.check()?;
        bots.check()?;
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn headless(seconds: u64, bots: u32, port: u16) -> Result<Value> {
    let folder = root().join("target/demo");
    fs::create_dir_all(&folder)?;
    let (server_file, bots_file) =
        (folder.join(format!("server-{port}.json")), folder.join(format!("bots-{port}.json")));
    let world = World::start(port, Some(&server_file), &fresh_data(port)?)?;
    let command = bots_command(&world.programs, port, bots, Some(seconds), Some(&bots_file));
    Background::start("bots", command)?.wait()?;
    world.stop()?;
    let read = |file: &Path| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(file)?)?) };
    Ok(json!({ "seconds": seconds, "server": read(&server_file)?, "bots": read(&bots_file)? }))
}

/// An empty place for the world of a run that starts anew.
fn fresh_data(port: u16) -> Result<PathBuf> {
    let data = root().join(format!("target/demo/data-{port}"));
    remove(&data)?;
    Ok(data)
}

fn remove(folder: &Path) -> Result {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("can't remove {}: {error}", folder.display()).into())
        }
        _ => Ok(()),
    }
}

/// Whether the world behaved.
fn judge(summary: &Value) -> Result {
    let number = |group: &str, name: &str| -> Result<f64> {
        summary[group][name].as_f64().ok_or_else(|| format!("the summary has no {group}.{name}").into())
    };
    let mut wrong = Vec::new();
    let (ticks, late, dropped) =
        (number("server", "ticks")?, number("server", "ticks_late")?, number("server", "ticks_dropped")?);
    if ticks == 0.0 || late + dropped > LATE_SHARE_MAX * ticks {
        wrong.push(format!("{late} ticks were late and {dropped} dropped, of {ticks}"));
    }
    let (bots, saw) = (number("bots", "bots")?, number("bots", "saw_others_move")?);
    // A single bot has nobody to see.
    if bots > 1.0 && saw < bots {
        wrong.push(format!("{} of {bots} bots saw nobody move", bots - saw));
    }
    if number("bots", "gathered")? == 0.0 {
        wrong.push("no bot gathered anything".into());
    }
    for (group, name) in [("server", "faults"), ("bots", "calls_failed"), ("bots", "disconnects")] {
        let count = number(group, name)?;
        if count > 0.0 {
            wrong.push(format!("{group}.{name} is {count}"));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("the world misbehaved: {}", wrong.join("; ")).into()) }
}

/// A running server.
struct World {
    server: Background,
    programs: PathBuf,
    port: u16,
}

impl World {
    fn start(port: u16, summary: Option<&Path>, data: &Path) -> Result<Self> {
        let module = module("bitcraft-lite")?;
        let programs = programs(&["bitcraft-lite-server", "bitcraft-lite-bots"], Profile::Dev)?;
        let mut server =
            command(&programs.join("bitcraft-lite-server").to_string_lossy(), &["--stop-with-stdin"]);
        server.arg("--module").arg(module).args(["--websocket", &format!("127.0.0.1:{port}")]);
        server.args(["--quic", &format!("127.0.0.1:{port}")]); // UDP; clients find it by the WebSocket's port
        server.arg("--cache").arg(root().join("target/demo/compiled"));
        server.arg("--data").arg(data);
        if let Some(summary) = summary {
            server.arg("--summary").arg(summary);
        }
        let mut server = Background::start("the server", server)?;
        wait_for_port(port, &mut server)?;
        Ok(Self { server, programs, port })
    }

    fn address(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    fn stop(self) -> Result {
        self.server.stop()
    }
}

/// The built web page, served.
struct Page {
    server: Background,
    address: String,
}

impl Page {
    fn start(port: u16) -> Result<Self> {
        for folder in [CLIENT, WEB] {
            setup::npm(folder)?;
        }
        codegen::run()?;
        for folder in [CLIENT, WEB] {
            let mut build = command("npm", &["run", "--silent", "build"]);
            build.current_dir(root().join(folder));
            start(build)?;
        }
        let vite = root().join(WEB).join("node_modules/vite/bin/vite.js");
        let mut server =
            command("node", &[&vite.to_string_lossy(), "preview", "--strictPort", "--host", "127.0.0.1"]);
        server.args(["--port", &port.to_string()]).current_dir(root().join(WEB));
        let mut server = Background::start("the page's server", server)?;
        wait_for_port(port, &mut server)?;
        Ok(Self { server, address: format!("http://127.0.0.1:{port}") })
    }
}

fn bots_command(
    programs: &Path,
    port: u16,
    bots: u32,
    seconds: Option<u64>,
    summary: Option<&Path>,
) -> Command {
    let mut command = command(&programs.join("bitcraft-lite-bots").to_string_lossy(), &["--stop-with-stdin"]);
    command.args(["--server", &format!("ws://127.0.0.1:{port}"), "--bots", &bots.to_string()]);
    if let Some(seconds) = seconds {
        command.args(["--seconds", &seconds.to_string()]);
    }
    if let Some(summary) = summary {
        command.arg("--summary").arg(summary);
    }
    command
}

fn wait_for_port(port: u16, server: &mut Background) -> Result {
    let start = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        server.check()?;
        if start.elapsed() > START_MAX {
            return Err(format!("nothing listens on port {port} after {} s", START_MAX.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
