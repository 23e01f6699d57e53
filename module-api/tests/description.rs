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
    Access, IndexDef, IndexKind, ParamDef, RateDef, ReducerKind, RowDef, RowKind, SpatialDef, TermDef, Type,
    Visibility, WireDef,
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

#[resource(visible = everyone)]
pub struct Weather {
    pub rain: f32,
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
    rows: [Position, Bag, Member, Frozen, Account, Weather, Gathered, Boom, LevelUp, Player],
    reducers: [rename, respawn, begin],
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
    let all =
        "evertick.Player evertick.Owner Position Bag Member Frozen Account Weather Gathered Boom LevelUp";
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
fn reducers_say_who_may_call_them_how_often() {
    let description = module().description();
    let [rename, respawn, begin] = &description.reducers[..] else { panic!() };
    assert_eq!(rename.role.as_deref(), Some("Admin"));
    assert_eq!(rename.rate, Some(RateDef { calls: 5, per_us: 1_000_000 }));
    let params: Vec<_> = rename.params.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(params, ["_who", "_name", "_kind"]);
    assert_eq!(rename.returns, Some(Type::U32));
    assert_eq!(rename.refusals.len(), 3);
    assert_eq!((respawn.private, &respawn.returns), (true, &None));
    assert_eq!(begin.kind, ReducerKind::Init);
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
