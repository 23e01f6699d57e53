//! A module with every type that conditions can be about, and rows of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test binary uses a part of it")]

use evertick_query::{Catalog, Compiled, QueryError, compile};
use evertick_schema::{
    EntityId, EnumType, EnumVariant, Field, FieldDef, Identity, IndexDef, IndexKind, RowDef, RowKind,
    RowWriter, SpatialDef, StructType, Timestamp, Type, Visibility,
};
use evertick_world::{Cause, Config, Delta, RowId, Tx, World};

pub const LISTING: usize = 0;
pub const STOCK: usize = 1;
pub const POSITION: usize = 2;
pub const SECRET: usize = 3;
pub const STALL: usize = 4;
pub const HIDDEN: usize = 5;

pub const ME: Identity = Identity([7; 32]);
pub const KINDS: [(&str, u8); 3] = [("sword", 0), ("bow", 1), ("potion", 9)];

#[derive(Clone, Debug)]
pub struct Listing {
    pub id: u32,
    pub seller: Identity,
    pub price: i64,
    pub weight: f32,
    pub ratio: f64,
    pub title: String,
    pub kind: u8,
    pub open: bool,
    pub note: Option<String>,
    pub discount: Option<i8>,
    pub rank: u16,
    pub at: [f32; 2],
    pub maker: EntityId,
    pub made: Timestamp,
}

impl Default for Listing {
    fn default() -> Self {
        Self {
            id: 0,
            seller: Identity::NONE,
            price: 0,
            weight: 0.0,
            ratio: 0.0,
            title: String::new(),
            kind: 0,
            open: false,
            note: None,
            discount: None,
            rank: 0,
            at: [0.0; 2],
            maker: EntityId::NONE,
            made: Timestamp(0),
        }
    }
}

macro_rules! encode {
    ($($value:expr),* $(,)?) => {{
        fn size_of<F: Field>(_: &F) -> usize { F::SIZE }
        let mut bytes = Vec::new();
        let size = 0 $(+ size_of(&$value))*;
        let mut writer = RowWriter::new(&mut bytes, size);
        let mut at = 0;
        $($value.write(&mut writer, at); at += size_of(&$value);)*
        assert_eq!(at, size);
        bytes
    }};
}

impl Listing {
    pub fn bytes(&self) -> Vec<u8> {
        encode!(
            self.id,
            self.seller,
            self.price,
            self.weight,
            self.ratio,
            self.title,
            self.kind,
            self.open,
            self.note,
            self.discount,
            self.rank,
            self.at[0],
            self.at[1],
            self.maker,
            self.made,
        )
    }
}

pub fn stock(count: u16, code: i32) -> Vec<u8> {
    encode!(count, code)
}

pub fn position(at: [f32; 2], space: u32) -> Vec<u8> {
    encode!(at[0], at[1], space)
}

pub fn stall(owner: Identity) -> Vec<u8> {
    encode!(owner)
}

fn row(name: &str, kind: RowKind, visible: Visibility, fields: &[(&str, Type)]) -> RowDef {
    let fields = fields.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect();
    RowDef { visible, ..RowDef::new(name, kind, fields) }
}

fn rows() -> Vec<RowDef> {
    let variants = KINDS.map(|(name, value)| EnumVariant { name: name.into(), value: value.into() }).into();
    let spot = vec![FieldDef::new("rank", Type::U16), FieldDef::new("at", Type::Vec2)];
    let option = |ty| Type::Option(Box::new(ty));
    let index = |field, kind, unique| IndexDef { field, kind, unique };
    let mut listing = row(
        "Listing",
        RowKind::Table { key: 0 },
        Visibility::Everyone,
        &[
            ("id", Type::U32),
            ("seller", Type::Identity),
            ("price", Type::I64),
            ("weight", Type::F32),
            ("ratio", Type::F64),
            ("title", Type::String),
            ("kind", Type::Enum(EnumType { name: "Kind".into(), size: 1, variants })),
            ("open", Type::Bool),
            ("note", option(Type::String)),
            ("discount", option(Type::I8)),
            ("spot", Type::Struct(StructType { name: "Spot".into(), fields: spot })),
            ("maker", Type::EntityId),
            ("made", Type::Timestamp),
        ],
    );
    listing.on_demand = true;
    listing.indexes = vec![
        index(0, IndexKind::Hash, true),
        index(1, IndexKind::Hash, false),
        index(2, IndexKind::Ordered, false),
        index(4, IndexKind::Ordered, false),
        index(5, IndexKind::Ordered, false),
    ];
    let component = RowKind::Component;
    let counts = [("count", Type::U16), ("code", Type::I32)];
    let mut stock = row("Stock", component, Visibility::Everyone, &counts);
    stock.indexes = vec![index(0, IndexKind::Ordered, false)];
    let mut position =
        row("Position", component, Visibility::Everyone, &[("at", Type::Vec2), ("space", Type::U32)]);
    position.spatial = Some(SpatialDef { at: 0, space: Some(1) });
    let secret = row("Secret", component, Visibility::Owner { field: None }, &[("value", Type::U32)]);
    let mut stall =
        row("Stall", component, Visibility::Owner { field: Some(0) }, &[("owner", Type::Identity)]);
    stall.on_demand = true;
    let hidden = row("Hidden", component, Visibility::Nobody, &[("value", Type::U32)]);
    vec![listing, stock, position, secret, stall, hidden]
}

/// A world of such rows.
pub struct Market {
    pub world: World,
    pub rows: Vec<RowId>,
    pub catalog: Catalog,
    tick: u64,
}

impl Market {
    pub fn new() -> Self {
        let mut world = World::new(Config { cell_size: 8.0, cell_margin: 1.0, ..Config::default() });
        let rows = world.register("market", &rows()).unwrap();
        let catalog = Catalog::new(&world, &rows);
        Self { world, rows, catalog, tick: 0 }
    }

    pub fn compile(&self, text: &str) -> Result<Compiled, QueryError> {
        compile(text, &self.catalog, &ME).result
    }

    pub fn write<T>(&mut self, write: impl FnOnce(&mut Tx<'_>, &[RowId]) -> T) -> T {
        let mut tx = self.world.begin(Cause::default());
        let done = write(&mut tx, &self.rows);
        tx.accept().unwrap();
        done
    }

    pub fn list(&mut self, listing: &Listing) -> EntityId {
        self.write(|tx, rows| tx.insert_row(rows[LISTING], &listing.bytes())).unwrap()
    }

    pub fn commit(&mut self) -> Delta {
        self.tick += 1;
        self.world.commit(self.tick, Timestamp(self.tick as i64))
    }
}
