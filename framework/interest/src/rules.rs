//! What each row type's visibility means, resolved once from its description.

use evertick_schema::{EntityId, Identity, OWNER, RowDef, RowKind, Type, Visibility};
use evertick_world::{Cell, RowId, RowType, World};

use crate::topic::TopicKey;

/// Who sees the rows of one stored type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Whoever sees the entity's cell.
    Near,
    /// The entity's owner.
    EntityOwner,
    /// The identity in a field.
    Owner(KeyField),
    /// The group in a field.
    Group(KeyField),
    /// Everyone.
    Everyone,
}

impl Audience {
    fn class(self) -> Class {
        match self {
            Self::Near => Class::Cell,
            Self::EntityOwner | Self::Owner(_) => Class::Owner,
            Self::Group(_) => Class::Group,
            Self::Everyone => Class::Everyone,
        }
    }
}

/// The field that names a row's audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyField {
    /// Its number.
    pub(crate) field: u16,
    /// Its place in the row.
    pub(crate) offset: usize,
    /// Its bytes.
    pub(crate) size: usize,
    /// Whether the world can look rows up by it.
    pub(crate) indexed: bool,
}

impl KeyField {
    fn of(ty: &RowType, field: u16) -> Self {
        let place = &ty.layout.fields[usize::from(field)];
        Self {
            field,
            offset: place.offset as usize,
            size: place.size as usize,
            indexed: ty.def.indexes.iter().any(|index| index.field == field),
        }
    }

    /// The field's bytes in a row.
    pub(crate) fn bytes<'row>(&self, row: &'row [u8]) -> &'row [u8] {
        &row[self.offset..self.offset + self.size]
    }

    pub(crate) fn group(&self, row: &[u8]) -> TopicKey {
        let mut bytes = [0; 8];
        bytes[..self.size].copy_from_slice(self.bytes(row));
        TopicKey::Group(u64::from_le_bytes(bytes))
    }

    pub(crate) fn owner(&self, row: &[u8]) -> TopicKey {
        TopicKey::Owner(Identity(bytes_at(row, self.offset)))
    }
}

/// The kinds of topics. A topic carries only row types of its class; they are its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Cell,
    /// Of a cell too, but seen from nearby only.
    Detail,
    Owner,
    Group,
    Everyone,
    /// Of queries: rows that are sent on demand, whoever may see them.
    Query,
}

impl Class {
    /// Whether a row's topic hangs on values that may be overwritten, so that the old one must be remembered.
    pub(crate) fn has_homes(self) -> bool {
        matches!(self, Self::Owner | Self::Group)
    }
}

/// Where rows of one stored, visible type go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) row: RowId,
    /// The type's number among those of its class.
    pub(crate) column: u16,
    /// The type's number among those whose updates go on the latest lane, if they do.
    pub(crate) latest: Option<u16>,
    pub(crate) audience: Audience,
    /// Whether its rows are only in topics of queries.
    pub(crate) on_demand: bool,
    /// Whether its rows are seen from nearby only.
    pub(crate) detail: bool,
}

impl Rule {
    /// The topic that the row, holding `bytes`, is in now; of one that is sent on demand, the topic it would be in.
    pub(crate) fn topic(&self, world: &World, entity: EntityId, bytes: &[u8]) -> Option<TopicKey> {
        match self.audience {
            Audience::Near => world.cell(entity).map(|cell| self.near(cell)),
            Audience::EntityOwner => world.owner(entity).map(TopicKey::Owner),
            Audience::Owner(key) => Some(key.owner(bytes)),
            Audience::Group(key) => Some(key.group(bytes)),
            Audience::Everyone => Some(TopicKey::Everyone),
        }
    }

    /// The topic of rows near, in that cell.
    pub(crate) fn near(&self, cell: Cell) -> TopicKey {
        if self.detail { TopicKey::Detail(cell) } else { TopicKey::Cell(cell) }
    }

    pub(crate) fn class(&self) -> Class {
        match self {
            Self { on_demand: true, .. } => Class::Query,
            Self { detail: true, .. } => Class::Detail,
            Self { audience, .. } => audience.class(),
        }
    }

    /// Whether a change of these fields may bring the row into another topic.
    pub(crate) fn is_keyed_by(&self, mask: u64) -> bool {
        match self.audience {
            Audience::Owner(key) | Audience::Group(key) => mask >> key.field & 1 == 1,
            _ => false,
        }
    }
}

/// Where events of one type go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Route {
    /// To the cell of the entity in the field at `offset`.
    NearEntity { offset: usize },
    /// To the cell around the point in the field at `offset`, whose second coordinate in the plane is at
    /// `across`. The point is in space 0.
    NearPoint { offset: usize, across: usize },
    /// To the owner of the entity in the field at `offset`.
    OwnerOf { offset: usize },
    /// To the identity in a field.
    Owner(KeyField),
    /// To the group in a field.
    Group(KeyField),
    /// To everyone.
    Everyone,
}

/// A row type as clients are sent it: its number on the wire and its number in the world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) wire: u16,
    pub(crate) row: RowId,
}

/// A row type whose updates go on the latest lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latest {
    /// Its number among all such.
    pub(crate) number: u16,
    /// Its number among those of its class.
    pub(crate) column: u16,
}

/// All rules of a world, by row type.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// By `RowId`; `None` where nobody may see the rows.
    rows: Vec<Option<Rule>>,
    /// By `RowId`, of events: the number on the wire, and where they go.
    events: Vec<Option<(u16, Route)>>,
    /// By class, by column.
    columns: [Vec<Column>; 6],
    /// By class, by column.
    latest: [Vec<Latest>; 6],
    /// All of them, by number.
    latest_types: Vec<RowId>,
    /// By `RowId`.
    spatial: Vec<u64>,
    /// How much of its radius a session sees the details of; `None` where no rows are details.
    detail_radius: Option<f32>,
    /// `evertick.Owner`.
    owner: Option<RowId>,
    /// Types seen by the entity's owner.
    by_owner: Vec<Rule>,
}

impl Rules {
    /// Resolves `wire_rows`, by number on the wire. Row types that are not among them are never sent.
    pub(crate) fn new(world: &World, wire_rows: &[RowId], detail_radius: f32) -> Self {
        let types = world.row_types();
        let mut rules = Self {
            rows: vec![None; types.len()],
            events: vec![None; types.len()],
            spatial: types.iter().map(spatial_mask).collect(),
            owner: world.row_named(OWNER),
            ..Self::default()
        };
        for (wire, id) in wire_rows.iter().enumerate() {
            let ty = world.row(*id);
            let index = id.index();
            if ty.def.kind == RowKind::Event {
                rules.events[index] = route(ty).map(|route| (wire as u16, route));
            } else if let Some(audience) = audience(ty) {
                let RowDef { on_demand, detail, .. } = ty.def;
                let latest = ty.def.is_latest().then_some(rules.latest_types.len() as u16);
                let mut rule = Rule { row: *id, column: 0, latest, audience, on_demand, detail };
                let columns = &mut rules.columns[rule.class() as usize];
                rule.column = columns.len() as u16;
                columns.push(Column { wire: wire as u16, row: *id });
                if let Some(number) = latest {
                    rules.latest[rule.class() as usize].push(Latest { number, column: rule.column });
                    rules.latest_types.push(*id);
                }
                rules.rows[index] = Some(rule);
                if audience == Audience::EntityOwner && !rule.on_demand {
                    rules.by_owner.push(rule);
                }
            }
        }
        let has_details = !rules.columns(Class::Detail).is_empty();
        rules.detail_radius = has_details.then_some(detail_radius.clamp(0.0, 1.0));
        rules
    }

    /// How much of its radius a session sees the details of; `None` where no rows are details.
    pub(crate) fn detail_radius(&self) -> Option<f32> {
        self.detail_radius
    }

    /// The rule of a stored type; `None` where nobody may see it.
    pub(crate) fn row(&self, row: RowId) -> Option<&Rule> {
        self.rows[row.index()].as_ref()
    }

    /// The number on the wire of an event type and where it goes.
    pub(crate) fn event(&self, row: RowId) -> Option<(u16, Route)> {
        self.events[row.index()]
    }

    /// The mask of the fields that place the entity; 0 where the type is not spatial.
    pub(crate) fn spatial(&self, row: RowId) -> u64 {
        self.spatial[row.index()]
    }

    /// The row types of a class.
    pub(crate) fn columns(&self, class: Class) -> &[Column] {
        &self.columns[class as usize]
    }

    /// The row types of a class whose updates go on the latest lane.
    #[inline]
    pub(crate) fn latest(&self, class: Class) -> &[Latest] {
        &self.latest[class as usize]
    }

    /// All row types whose updates go on the latest lane, by number.
    pub(crate) fn latest_types(&self) -> &[RowId] {
        &self.latest_types
    }

    /// The types that follow the entity's owner, where `row` is the type that names it.
    pub(crate) fn following_owner(&self, row: RowId) -> &[Rule] {
        if self.owner == Some(row) { &self.by_owner } else { &[] }
    }

    /// The rule of the row type in `column` of a class.
    pub(crate) fn of_column(&self, class: Class, column: u16) -> &Rule {
        let row = self.columns(class)[usize::from(column)].row;
        self.row(row).expect("a column's row type has a rule")
    }

    /// `evertick.Owner`.
    pub(crate) fn owner(&self) -> Option<RowId> {
        self.owner
    }
}

fn spatial_mask(ty: &RowType) -> u64 {
    ty.def.spatial.map_or(0, |spatial| 1 << spatial.at | spatial.space.map_or(0, |space| 1 << space))
}

fn audience(ty: &RowType) -> Option<Audience> {
    Some(match ty.def.visible {
        Visibility::Nobody => return None,
        Visibility::Near => Audience::Near,
        Visibility::Everyone => Audience::Everyone,
        Visibility::Owner { field: None } => Audience::EntityOwner,
        Visibility::Owner { field: Some(field) } => Audience::Owner(KeyField::of(ty, field)),
        Visibility::Group { field } => Audience::Group(KeyField::of(ty, field)),
    })
}

fn route(ty: &RowType) -> Option<Route> {
    Some(match ty.def.visible {
        Visibility::Nobody => return None,
        Visibility::Everyone => Route::Everyone,
        Visibility::Group { field } => Route::Group(KeyField::of(ty, field)),
        Visibility::Owner { field } => {
            let key = KeyField::of(ty, field?);
            match ty.def.fields[usize::from(key.field)].ty {
                Type::EntityId => Route::OwnerOf { offset: key.offset },
                _ => Route::Owner(key),
            }
        }
        Visibility::Near => {
            let origin = &ty.layout.fields[usize::from(ty.def.origin?)];
            let offset = origin.offset as usize;
            match origin.ty {
                Type::EntityId => Route::NearEntity { offset },
                Type::Vec3 => Route::NearPoint { offset, across: offset + 8 },
                _ => Route::NearPoint { offset, across: offset + 4 },
            }
        }
    })
}

/// The first `N` bytes at `offset` of a row. The world has checked the row's length.
pub(crate) fn bytes_at<const N: usize>(row: &[u8], offset: usize) -> [u8; N] {
    row[offset..offset + N].try_into().expect("a range of N bytes")
}

pub(crate) fn entity_at(row: &[u8], offset: usize) -> EntityId {
    EntityId(u64::from_le_bytes(bytes_at(row, offset)))
}

pub(crate) fn f32_at(row: &[u8], offset: usize) -> f32 {
    f32::from_le_bytes(bytes_at(row, offset))
}

/// The cell around a point of a space.
pub(crate) fn cell_around(space: u32, at: [f32; 2], cell_size: f32) -> Cell {
    let of = |at: f32| (f64::from(at) / f64::from(cell_size)).floor() as i32;
    Cell { space, x: of(at[0]), y: of(at[1]) }
}
