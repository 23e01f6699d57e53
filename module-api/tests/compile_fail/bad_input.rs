//! What an input reducer may not be.
use evertick_module::prelude::*;

#[reducer(input, rate = "5/s")]
fn with_a_rate(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer(input, private)]
fn private(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer(input, connect)]
fn of_two_kinds(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer(input)]
fn answers(_ctx: &mut Ctx) -> Result<u32, NoRefusal> {
    Ok(3)
}

#[reducer(input)]
fn of_no_fixed_size(_ctx: &mut Ctx, _name: String) -> Result<(), NoRefusal> {
    Ok(())
}

fn main() {}
