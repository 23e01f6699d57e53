//! What the macros say about rows, reducers and systems.
#![allow(
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    reason = "tests; the code of reducers and systems does not run here"
)]

use evertick_module::native::Instance;
use evertick_module::prelude::*;
use evertick_module::schema::{
    Access, IndexDef, IndexKind, ParamDef, RateDef, ReducerKind, RowDef, RowKind, SpatialDef, StorageClass,
    TermDef, Type, Visibility, WireDef,
};

#[derive(Clone, Copy, Debug, PartialEq, Field)]
#[repr(u8)]
pub enum Kind {
    Tree,
    Ore = 4,
}

#[derive(Clone, Copy, Debug, PartialEq, Field)]
#[repr(C)]
pub struct Stack {
    pub item: u32,
    pub count: u32,
}

#[component(visible = near, spatial)]
pub struct Position {
    pub space: u32,
    #[wire(step = 0.01)]
    pub at: Vec3,
    #[wire(step = 0.024543692, bits = 8, wrap)]
    pub heading: f32,
}

#[component(visible = owner)]
pub struct Bag {
    pub stacks: [Stack; 2],
    pub kind: Kind,
    pub open: bool,
    pub reserved: [u8; 2],
}

#[component(visible = group(guild))]
pub struct Member {
    #[index(dense)]
    pub guild: u32,
    #[index(ordered)]
    pub rank: u32,
    #[unique]
    pub seat: u64,
}

#[component]
pub struct Frozen {}

#[table(visible = owner(identity), key = name)]
pub struct Account {
    pub name: String,
    #[unique]
    pub identity: Identity,
    pub friends: Vec<Identity>,
    pub mail: Option<String>,
}

#[resource(visible = everyone, checkpoint = "90s")]
pub struct Weather {
    pub rain: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Field)]
#[repr(C)]
pub struct Wear {
    #[was("use_count")]
    pub uses: u32,
    #[default(FRESH)]
    pub quality: u32,
}

const FRESH: u32 = 100;

impl Default for Wear {
    fn default() -> Self {
        Self { uses: 0, quality: FRESH }
    }
}

#[component(transient)]
pub struct Scratch {
    pub path: Vec<Vec2>,
}

#[component(checkpoint, was = "Gear")]
#[derive(Default)]
pub struct Tool {
    #[was("damage")]
    pub wear: Wear,
    #[default(-2 - 1)]
    pub bonus: i32,
    #[default]
    pub level: u32,
    #[default("a tool")]
    pub called: String,
    #[default(vec![Some(7)])]
    pub marks: Vec<Option<u8>>,
}

#[table(durable, key = id)]
#[was("Door")]
pub struct Gate {
    pub id: u32,
}

#[event(to = near, at = node)]
pub struct Gathered {
    pub by: EntityId,
    pub node: EntityId,
}

#[event(to = near)]
pub struct Boom {
    pub strength: f32,
    pub at: Vec2,
}

#[event(to = owner(player))]
pub struct LevelUp {
    pub player: EntityId,
}

#[derive(Debug, PartialEq, Refusal)]
pub enum No {
    #[refusal("that is no longer here", missing)]
    Gone,
    #[refusal("{name} is taken", duplicate)]
    Taken,
    #[refusal("{meters:.1} m is out of reach of {who}")]
    TooFar { meters: f32, who: String },
}

#[allow(non_upper_case_globals)]
const name: &str = "that name";

#[reducer(role = Admin, rate = "5/s")]
fn rename(_ctx: &mut Ctx, _who: EntityId, _name: String, _kind: Kind) -> Result<u32, No> {
    Ok(1)
}

#[reducer(private)]
fn respawn(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer(init)]
fn begin(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[reducer(upgrade)]
fn bring_over(_ctx: &mut Ctx) -> Result<(), NoRefusal> {
    Ok(())
}

#[system(every = "50ms", before = sweep, after = ["other.system"])]
fn first(
    _now: Now,
    _rng: Rng,
    _near: Near,
    _commands: Commands,
    _accounts: Table<Account>,
    _weather: Option<Res<Weather>>,
) {
}

#[system]
fn sweep(
    _one: Query<
        (EntityId, &mut Position, Option<&Bag>, Option<&mut Member>),
        (With<Account>, Without<Frozen>),
    >,
    _other: Query<&mut Position, With<Frozen>>,
    _weather: ResMut<Weather>,
) {
}

const PLUGIN: Plugin = plugin! {
    rows: [
        Position, Bag, Member, Frozen, Account, Weather, Gathered, Boom, LevelUp, Player, Scratch, Tool, Gate,
    ],
    reducers: [rename, respawn, begin, bring_over],
    systems: [first, sweep],
};

export_module! { name: "game", plugins: [PLUGIN] }

fn row(called: &str) -> RowDef {
    module().description().rows.into_iter().find(|row| row.name == called).unwrap()
}

#[test]
fn the_description_is_sound() {
    let description = module().description();
    description.check().unwrap();
    Instance::new(&module()).unwrap();
    let names: Vec<_> = description.rows.iter().map(|row| row.name.as_str()).collect();
    let all = "evertick.Player evertick.Owner Position Bag Member Frozen Account Weather Gathered Boom LevelUp Scratch Tool Gate";
    assert_eq!(names.join(" "), all);
}

#[test]
fn rows_say_who_sees_them() {
    assert_eq!(row("Position").visible, Visibility::Near);
    assert_eq!(row("Bag").visible, Visibility::Owner { field: None });
    assert_eq!(row("Member").visible, Visibility::Group { field: 0 });
    assert_eq!(row("Frozen").visible, Visibility::Nobody);
    assert_eq!(row("Account").visible, Visibility::Owner { field: Some(1) });
    assert_eq!(row("Weather").visible, Visibility::Everyone);
    assert_eq!((row("Gathered").visible, row("Gathered").origin), (Visibility::Near, Some(1)));
    assert_eq!((row("Boom").visible, row("Boom").origin), (Visibility::Near, Some(1)));
    assert_eq!((row("LevelUp").visible, row("LevelUp").origin), (Visibility::Owner { field: Some(0) }, None));
}

#[test]
fn rows_say_what_they_are() {
    assert_eq!(row("Position").spatial, Some(SpatialDef { at: 1, space: Some(0) }));
    assert_eq!(row("Weather").kind, RowKind::Resource);
    assert_eq!(row("Gathered").kind, RowKind::Event);
    let account = row("Account");
    assert_eq!(account.kind, RowKind::Table { key: 0 });
    let unique = |field| IndexDef { field, kind: IndexKind::Hash, unique: true };
    assert_eq!(account.indexes, [unique(0), unique(1)]);
    let indexes = row("Member").indexes;
    assert_eq!(indexes[0], IndexDef { field: 0, kind: IndexKind::Dense, unique: false });
    assert_eq!(indexes[1], IndexDef { field: 1, kind: IndexKind::Ordered, unique: false });
    assert_eq!(indexes[2], unique(2));
}

#[test]
fn fields_say_their_types_and_quantizers() {
    let position = row("Position");
    assert_eq!(position.fields[1].ty, Type::Vec3);
    assert_eq!(position.fields[1].wire, Some(WireDef { step: 0.01, bits: None, wrap: None }));
    let heading = position.fields[2].wire.clone().unwrap();
    assert_eq!((heading.bits, heading.wrap), (Some(8), Some(0.024543692 * 256.0)));
    let bag = row("Bag");
    assert!(
        matches!(&bag.fields[0].ty, Type::Array(of, 2) if matches!(&**of, Type::Struct(of) if of.name == "Stack"))
    );
    assert!(matches!(&bag.fields[1].ty, Type::Enum(of) if of.size == 1 && of.variants[1].value == 4));
}

#[test]
fn rows_say_what_of_them_is_stored() {
    assert_eq!(row("Position").storage, StorageClass::Durable);
    assert_eq!(row("Gate").storage, StorageClass::Durable);
    assert_eq!(row("Scratch").storage, StorageClass::Transient);
    assert_eq!(row("Tool").storage, StorageClass::Checkpoint { every_us: 5_000_000 });
    assert_eq!(row("Weather").storage, StorageClass::Checkpoint { every_us: 90_000_000 });
    assert_eq!((row("Tool").was.as_deref(), row("Gate").was.as_deref()), (Some("Gear"), Some("Door")));
    assert_eq!(row("Scratch").was, None);
}

#[test]
fn fields_say_what_they_were_and_what_they_are_by_default() {
    let tool = row("Tool");
    let was: Vec<_> = tool.fields.iter().map(|field| field.was.as_deref()).collect();
    assert_eq!(was, [Some("damage"), None, None, None, None]);
    let defaults: Vec<_> = tool.fields.iter().map(|field| field.default.as_deref()).collect();
    let called = b"\x08\0\0\0\x06\0\0\0a tool";
    let marks = b"\x08\0\0\0\x01\0\0\0\x10\0\0\0\x01\0\0\0\x07";
    let expected: [Option<&[u8]>; 5] =
        [None, Some(&[0xfd, 0xff, 0xff, 0xff]), Some(&[0; 4]), Some(called), Some(marks)];
    assert_eq!(defaults, expected);
    let Type::Struct(wear) = &tool.fields[0].ty else { panic!() };
    assert_eq!(wear.fields[0].was.as_deref(), Some("use_count"));
    assert_eq!(wear.fields[1].default.as_deref(), Some(&[100, 0, 0, 0][..]));
}

#[test]
fn reducers_say_who_may_call_them_how_often() {
    let description = module().description();
    let [rename, respawn, begin, bring_over] = &description.reducers[..] else { panic!() };
    assert_eq!(rename.role.as_deref(), Some("Admin"));
    assert_eq!(rename.rate, Some(RateDef { calls: 5, per_us: 1_000_000 }));
    let params: Vec<_> = rename.params.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(params, ["_who", "_name", "_kind"]);
    assert_eq!(rename.returns, Some(Type::U32));
    assert_eq!(rename.refusals.len(), 3);
    assert_eq!((respawn.private, &respawn.returns), (true, &None));
    assert_eq!(begin.kind, ReducerKind::Init);
    assert_eq!(bring_over.kind, ReducerKind::Upgrade);
}

#[test]
fn systems_say_what_they_touch() {
    let description = module().description();
    let number = |called: &str| description.row(called).unwrap() as u32;
    let [first, sweep] = &description.systems[..] else { panic!() };
    assert_eq!(first.every_us, Some(50_000));
    assert_eq!(
        (&first.before[..], &first.after[..]),
        (&["sweep".to_owned()][..], &["other.system".to_owned()][..])
    );
    let account = ParamDef::Table { row: number("Account") };
    let weather = ParamDef::Res { row: number("Weather") };
    assert_eq!(
        first.params,
        [ParamDef::Now, ParamDef::Rng, ParamDef::Near, ParamDef::Commands, account, weather]
    );
    assert_eq!(sweep.every_us, None);
    let term = |called, access| TermDef { row: number(called), access };
    let terms = vec![
        term("Position", Access::Write),
        term("Bag", Access::OptionalRead),
        term("Member", Access::OptionalWrite),
        term("Account", Access::With),
        term("Frozen", Access::Without),
    ];
    assert_eq!(sweep.params[0], ParamDef::Query { terms });
    assert_eq!(sweep.params[2], ParamDef::ResMut { row: number("Weather") });
}

mod twice {
    use evertick_module::prelude::*;

    use super::{Bag, Frozen, Position};

    #[system]
    fn clash(_one: Query<&mut Position>, _other: Query<(&Position, &Bag), Without<Frozen>>) {}

    #[system]
    fn unlisted(_one: Query<&Frozen>) {}

    const PLUGIN: Plugin = plugin! { rows: [Position, Bag], systems: [clash, unlisted] };

    export_module! { name: "twice", plugins: [PLUGIN] }
}

#[test]
fn a_row_twice_or_unlisted_is_a_problem() {
    let problems = Instance::new(&twice::module()).unwrap_err().join("\n");
    assert!(problems.contains("system `clash` has Position twice, once to write"), "{problems}");
    assert!(problems.contains("twice.unlisted"), "{problems}");
}
