//! The shop, a season later: fields renamed, widened, added, dropped and moved; row types renamed, added and
//! dropped; reducers in another order.
#![allow(missing_docs, reason = "modules are written for players")]

use evertick_module::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Field)]
#[repr(u8)]
pub enum Kind {
    Fruit,
    Tool,
    Book,
}

/// `Item` with a wider price, a discount, and without what was obsolete.
#[table(visible = everyone, key = number, was = "Item")]
pub struct Ware {
    #[was("price")]
    pub price_coins: u64,
    pub number: u32,
    #[index]
    pub stock: u32,
    #[default(0.5)]
    pub discount: f32,
    pub kind: Kind,
    #[default([0; 3])]
    pub reserved: [u8; 3],
}

#[table(visible = everyone, key = id)]
pub struct Customer {
    pub id: u64,
    pub coins: u64,
    pub name: String,
    #[default(Vec::new())]
    pub wishes: Vec<u32>,
}

#[component(visible = everyone)]
pub struct Shelf {
    pub meters: f64,
    pub items: u32,
    #[default(9)]
    pub aisle: u32,
}

/// New: what the upgrade made of the old books.
#[resource(visible = everyone)]
pub struct Inventory {
    pub upgrades: u64,
    pub stock: u64,
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
}

#[reducer(upgrade)]
fn take_stock(ctx: &mut Ctx) -> Result<(), ShopRefusal> {
    let stock = ctx.scan::<Ware>().map(|(_, ware)| u64::from(ware.stock)).sum();
    let upgrades = ctx.resource::<Inventory>().map_or(0, |inventory| inventory.upgrades) + 1;
    ctx.set_resource(Inventory { upgrades, stock });
    Ok(())
}

#[reducer(private)]
fn ring(ctx: &mut Ctx, order: u64) -> Result<(), ShopRefusal> {
    ctx.update_row(order, |reminder: &mut Reminder| reminder.rung += 1)?;
    Ok(())
}

#[reducer]
fn wish(ctx: &mut Ctx, id: u64, number: u32) -> Result<u64, ShopRefusal> {
    Ok(ctx.update_row(id, |customer: &mut Customer| {
        customer.wishes.push(number);
        customer.wishes.len() as u64
    })?)
}

pub const PLUGIN: Plugin = plugin! {
    rows: [Ware, Customer, Shelf, Inventory, Reminder],
    reducers: [take_stock, ring, wish],
};

evertick_module::export_module! {
    name: "shop",
    plugins: [PLUGIN],
}
