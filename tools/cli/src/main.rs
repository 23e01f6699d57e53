//! evertick: look into, repair, back up, record and replay a server's data.

use clap::Parser;

#[derive(Parser)]
#[command(name = "evertick", version)]
struct Args {}

fn main() {
    let Args {} = Args::parse();
}
