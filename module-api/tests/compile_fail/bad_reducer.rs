//! What a reducer's attribute and signature may not be.
use evertick_module::prelude::*;

#[reducer(rate = "often")]
fn bad_rate(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer(rate = "5")]
fn half_rate(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer(limit = 3)]
fn unknown(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer]
fn returns_nothing(_ctx: &mut Ctx) {}

#[reducer]
fn returns_a_number(_ctx: &mut Ctx) -> u32 {
    3
}

#[reducer]
fn no_context(number: u32) -> Result<(), NoRefusal> {
    let _ = number;
    Ok(())
}

#[reducer]
fn borrows(_ctx: &mut Ctx, text: &str) -> Result<(), NoRefusal> {
    let _ = text;
    Ok(())
}

#[reducer(connect)]
fn connect_with_arguments(_ctx: &mut Ctx, _name: String) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer(init, private)]
fn private_init(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer]
async fn not_async(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

fn main() {}
