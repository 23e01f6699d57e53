//! Row types that are sent on demand, one for each kind of visibility, and queries about them.

use evertick_schema::{
    ABI_VERSION, FieldDef, Identity, IndexDef, IndexKind, ModuleDescription, RowDef, RowKind, SpatialDef,
    Type, Visibility, owner_row,
};

pub const POSITION: usize = 0;
pub const WARE: usize = 1;
pub const HERB: usize = 2;
pub const DEED: usize = 3;
pub const LETTER: usize = 4;
pub const QUEST: usize = 5;
pub const TAG: usize = 6;
pub const OWNER: usize = 7;

pub fn description() -> ModuleDescription {
    use Visibility::{Everyone, Group, Near, Owner};
    let row = |name: &str, visible, fields: &[(&str, Type)]| {
        let fields = fields.iter().map(|(name, ty)| FieldDef::new(*name, ty.clone())).collect();
        let on_demand = !["Position", "Tag"].contains(&name);
        RowDef { visible, on_demand, ..RowDef::new(name, RowKind::Component, fields) }
    };
    let value = ("value", Type::U32);
    let mut rows = vec![
        row("Position", Near, &[("at", Type::Vec2), ("space", Type::U32)]),
        row("Ware", Everyone, &[("kind", Type::U32), value.clone()]),
        row("Herb", Near, std::slice::from_ref(&value)),
        row("Deed", Owner { field: None }, std::slice::from_ref(&value)),
        row("Letter", Owner { field: Some(0) }, &[("to", Type::Identity), value.clone()]),
        row("Quest", Group { field: 0 }, &[("guild", Type::U32), value.clone()]),
        row("Tag", Everyone, &[("tag", Type::U32)]),
        owner_row(),
    ];
    rows[POSITION].spatial = Some(SpatialDef { at: 0, space: Some(1) });
    rows[WARE].indexes = vec![IndexDef { field: 0, kind: IndexKind::Hash, unique: false }];
    rows[QUEST].indexes = vec![IndexDef { field: 0, kind: IndexKind::Hash, unique: false }];
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

pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

pub fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[4 * at..4 * at + 4].try_into().unwrap())
}

pub fn identity(who: u8) -> Identity {
    Identity([who + 1; 32])
}

/// A query, the row type it asks for, and what it means, said by hand.
pub struct Asked {
    pub text: &'static str,
    pub row: usize,
    pub means: fn(&Rows<'_>, &Identity) -> Option<bool>,
}

/// The rows of one entity, by type.
pub type Rows<'a> = dyn Fn(usize) -> Option<Vec<u8>> + 'a;

pub const QUERIES: &[Asked] = &[
    Asked { text: "SELECT * FROM Ware", row: WARE, means: |_, _| Some(true) },
    Asked {
        text: "SELECT * FROM Ware WHERE kind = 1",
        row: WARE,
        means: |row, _| Some(word(&row(WARE)?, 0) == 1),
    },
    Asked {
        text: "SELECT * FROM Ware WHERE value >= 2 AND NOT value > 3",
        row: WARE,
        means: |row, _| Some((2..=3).contains(&word(&row(WARE)?, 1))),
    },
    Asked {
        text: "SELECT * FROM Ware JOIN Tag USING (entity) WHERE tag IN (0, 2) OR kind = 2",
        row: WARE,
        means: |row, _| {
            let tag = word(&row(TAG)?, 0);
            Some(tag == 0 || tag == 2 || word(&row(WARE)?, 0) == 2)
        },
    },
    Asked { text: "SELECT * FROM Herb", row: HERB, means: |_, _| Some(true) },
    Asked {
        text: "SELECT * FROM Herb JOIN Position USING (entity) WHERE near(0, 0, 60)",
        row: HERB,
        means: |row, _| {
            let position = row(POSITION)?;
            let [x, y] = [0, 1].map(|axis| f64::from(f32::from_bits(word(&position, axis))));
            Some(word(&position, 2) == 0 && x * x + y * y <= 3600.0)
        },
    },
    Asked {
        text: "SELECT * FROM Herb JOIN Tag USING (entity) WHERE tag <> 1 AND value = 1",
        row: HERB,
        means: |row, _| Some(word(&row(TAG)?, 0) != 1 && word(&row(HERB)?, 0) == 1),
    },
    Asked {
        text: "SELECT * FROM Deed WHERE value < 3",
        row: DEED,
        means: |row, _| Some(word(&row(DEED)?, 0) < 3),
    },
    Asked {
        text: "SELECT * FROM Deed JOIN Letter USING (entity) WHERE Letter.value = 1",
        row: DEED,
        means: |row, me| {
            let letter = row(LETTER)?;
            Some(letter[..32] == me.0 && word(&letter, 8) == 1)
        },
    },
    Asked {
        text: "SELECT * FROM Letter WHERE to = :me AND value <> 2",
        row: LETTER,
        means: |row, _| Some(word(&row(LETTER)?, 8) != 2),
    },
    Asked { text: "SELECT * FROM Quest", row: QUEST, means: |_, _| Some(true) },
    Asked {
        text: "SELECT * FROM Quest JOIN Tag USING (entity) WHERE value = 1 OR tag = 1",
        row: QUEST,
        means: |row, _| {
            let tag = word(&row(TAG)?, 0);
            Some(tag == 1 || word(&row(QUEST)?, 1) == 1)
        },
    },
];
