//! A shop, in its first season.
#![allow(missing_docs, reason = "modules are written for players")]

use evertick_module::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Field)]
#[repr(u8)]
pub enum Kind {
    Fruit,
    Tool,
}

#[table(visible = everyone, key = number)]
pub struct Item {
    pub number: u32,
    pub stock: u32,
    pub price: u32,
    pub kind: Kind,
    pub obsolete: [u8; 3],
}

#[table(visible = everyone, key = id)]
pub struct Customer {
    pub id: u64,
    pub name: String,
    pub coins: u32,
}

/// Gone in the next season.
#[table(key = id)]
pub struct Leaflet {
    pub id: u32,
    pub text: String,
}

#[component(visible = everyone)]
pub struct Shelf {
    pub meters: f32,
    pub items: u32,
}

#[table(visible = everyone, key = order)]
pub struct Reminder {
    pub order: u64,
    pub rung: u64,
}

#[derive(Debug, PartialEq, Refusal)]
pub enum ShopRefusal {
    #[refusal("there is no such thing", missing)]
    Missing,
    #[refusal("it is there already", duplicate)]
    Duplicate,
}

#[reducer]
fn stock(ctx: &mut Ctx, number: u32, stock: u32, price: u32, kind: Kind) -> Result<(), ShopRefusal> {
    ctx.insert(Item { number, stock, price, kind, obsolete: [7; 3] })?;
    ctx.insert(Leaflet { id: number, text: format!("buy {number}") })?;
    ctx.spawn(Shelf { meters: number as f32 / 2.0, items: number });
    Ok(())
}

#[reducer]
fn welcome(ctx: &mut Ctx, id: u64, name: String, coins: u32) -> Result<(), ShopRefusal> {
    ctx.insert(Customer { id, name, coins })?;
    Ok(())
}

/// A timer that is still there when the next season begins.
#[reducer]
fn remind(ctx: &mut Ctx, order: u64, delay: Duration) -> Result<(), ShopRefusal> {
    ctx.insert(Reminder { order, rung: 0 })?;
    ctx.after(delay, ring::call(order));
    Ok(())
}

#[reducer(private)]
fn ring(ctx: &mut Ctx, order: u64) -> Result<(), ShopRefusal> {
    ctx.update_row(order, |reminder: &mut Reminder| reminder.rung += 1)?;
    Ok(())
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Item, Customer, Leaflet, Shelf, Reminder],
    reducers: [stock, welcome, remind, ring],
};

evertick_module::export_module! {
    name: "shop",
    plugins: [PLUGIN],
}
