//! What a system's attribute and signature may not be.
use evertick_module::prelude::*;

#[component]
pub struct Bag {
    pub count: u32,
}

#[system(every = "soon")]
fn bad_time() {}

#[system]
fn takes_context(_ctx: &mut Ctx) {}

#[system]
fn takes_a_number(_number: u32) {}

#[system]
fn returns() -> Result<(), NoRefusal> {
    Ok(())
}

#[system]
fn keeps_rows(bags: Query<&'static Bag>) {
    let _ = bags;
}

#[system]
fn writes_behind_a_shared_borrow(bags: Query<&mut Bag>) {
    for _bag in &bags {}
}

#[system]
fn bad_filter(bags: Query<&Bag, Bag>) {
    let _ = bags;
}

fn main() {}
