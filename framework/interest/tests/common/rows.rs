//! The row types of the tests, one or more for each kind of visibility.

use evertick_schema::{
    ABI_VERSION, EntityId, FieldDef, Identity, IndexDef, IndexKind, ModuleDescription, RowDef, RowKind,
    SpatialDef, Type, Visibility, WireDef, owner_row, player_row,
};

pub const POSITION: usize = 0;
pub const BODY: usize = 1;
pub const NAME: usize = 2;
pub const SECRET: usize = 3;
pub const BAG: usize = 4;
pub const LETTER: usize = 5;
pub const NOTE: usize = 6;
pub const GUILD: usize = 7;
pub const TEAM: usize = 8;
pub const NOTICE: usize = 9;
pub const CLOCK: usize = 10;
pub const OWNER: usize = 11;
pub const PLAYER: usize = 12;
pub const BOOM: usize = 13;
pub const HIT: usize = 14;
pub const WHISPER: usize = 15;
pub const NUDGE: usize = 16;
pub const CHEER: usize = 17;
pub const NEWS: usize = 18;
pub const GEAR: usize = 19;

/// The quantizer of positions.
pub const STEP: f64 = 0.05;

/// The whole module; the constants above are positions in its rows.
pub fn description() -> ModuleDescription {
    use Visibility::{Everyone, Group, Near, Nobody, Owner};
    let component = RowKind::Component;
    let by_identity = ("to", Type::Identity);
    let mut rows = vec![
        row("Position", component, Near, &[("at", Type::Vec2), ("space", Type::U32)]),
        row("Body", component, Near, &[("kind", Type::U32), ("health", Type::U32), ("armour", Type::U32)]),
        row("Name", component, Near, &[("text", Type::String)]),
        row("Secret", component, Nobody, &[("value", Type::U32)]),
        row("Bag", component, Owner { field: None }, &[("coins", Type::U32)]),
        row(
            "Letter",
            RowKind::Table { key: 0 },
            Owner { field: Some(1) },
            &[("id", Type::U32), by_identity.clone(), ("body", Type::U32)],
        ),
        row("Note", component, Owner { field: Some(0) }, &[by_identity.clone(), ("body", Type::U32)]),
        row("Guild", component, Group { field: 0 }, &[("guild", Type::U32), ("rank", Type::U32)]),
        row("Team", component, Group { field: 0 }, &[("team", Type::U8)]),
        row("Notice", RowKind::Table { key: 0 }, Everyone, &[("id", Type::U32), ("body", Type::U32)]),
        row("Clock", RowKind::Resource, Everyone, &[("hour", Type::U32)]),
        owner_row(),
        player_row(),
        row("Boom", RowKind::Event, Near, &[("at", Type::Vec2), ("mark", Type::U32)]),
        row("Hit", RowKind::Event, Near, &[("target", Type::EntityId), ("mark", Type::U64)]),
        row("Whisper", RowKind::Event, Owner { field: Some(0) }, &[by_identity, ("mark", Type::U32)]),
        row(
            "Nudge",
            RowKind::Event,
            Owner { field: Some(0) },
            &[("whose", Type::EntityId), ("mark", Type::U64)],
        ),
        row("Cheer", RowKind::Event, Group { field: 0 }, &[("team", Type::U32), ("mark", Type::U32)]),
        row("News", RowKind::Event, Everyone, &[("mark", Type::U32)]),
        row("Gear", component, Near, &[("item", Type::U32)]),
    ];
    rows[GEAR].detail = true;
    rows[POSITION].spatial = Some(SpatialDef { at: 0, space: Some(1) });
    rows[POSITION].fields[0].wire = Some(WireDef { step: STEP, bits: None, wrap: None });
    rows[BOOM].origin = Some(0);
    rows[HIT].origin = Some(0);
    // Letters and guilds are found by index, notes and teams by scan.
    let index = |field, kind, unique| IndexDef { field, kind, unique };
    rows[LETTER].indexes = vec![index(0, IndexKind::Hash, true), index(1, IndexKind::Hash, false)];
    rows[GUILD].indexes = vec![index(0, IndexKind::Ordered, false)];
    rows[NOTICE].indexes = vec![index(0, IndexKind::Hash, true)];
    let description = ModuleDescription {
        abi: ABI_VERSION,
        name: "game".into(),
        rows,
        reducers: Vec::new(),
        systems: Vec::new(),
        predictions: Vec::new(),
    };
    assert_eq!(description.check(), Ok(()));
    description
}

fn row(name: &str, kind: RowKind, visible: Visibility, fields: &[(&str, Type)]) -> RowDef {
    let fields = fields.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect();
    RowDef { visible, ..RowDef::new(name, kind, fields) }
}

/// The identity of player number `who`.
pub fn identity(who: u8) -> Identity {
    Identity([who + 1; 32])
}

pub fn position(space: u32, x: f32, y: f32) -> Vec<u8> {
    [x.to_le_bytes(), y.to_le_bytes(), space.to_le_bytes()].concat()
}

/// A row of `u32` fields.
pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub fn name(text: &str) -> Vec<u8> {
    let offset = if text.is_empty() { 0 } else { 8 };
    [&words(&[offset, text.len() as u32]), text.as_bytes()].concat()
}

/// A row of an identity and more.
pub fn addressed(who: u8, rest: &[u32]) -> Vec<u8> {
    [&identity(who).0[..], &words(rest)].concat()
}

pub fn letter(id: u32, who: u8, body: u32) -> Vec<u8> {
    [words(&[id]), addressed(who, &[body])].concat()
}

/// An event of an entity and a mark.
pub fn marked(entity: EntityId, mark: u64) -> Vec<u8> {
    [entity.0.to_le_bytes(), mark.to_le_bytes()].concat()
}

pub fn boom(x: f32, y: f32, mark: u32) -> Vec<u8> {
    [x.to_le_bytes(), y.to_le_bytes(), mark.to_le_bytes()].concat()
}
