//! Rows, calls and refusals as bytes.
#![allow(clippy::unwrap_used, dead_code, missing_docs, reason = "tests; the reducer does not run here")]

use evertick_module::prelude::*;
use evertick_module::schema::{Call as _, Refusal as _, Row, RowError, RowLayout, check_fields, check_row};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Field)]
#[repr(u16)]
pub enum Kind {
    Tree = 1,
    Ore = 500,
}

#[derive(Clone, Copy, Debug, PartialEq, Field)]
#[repr(C)]
pub struct Stack {
    pub item: u32,
    pub kind: Kind,
    pub fresh: bool,
    pub reserved: u8,
}

#[component]
#[derive(Copy)]
pub struct Bag {
    pub owner: EntityId,
    pub at: Vec2,
    pub stacks: [Stack; 2],
}

#[component]
pub struct Letter {
    pub urgent: bool,
    pub to: Vec<EntityId>,
    pub text: String,
    pub stack: Option<Stack>,
}

#[component]
#[derive(Copy, Default)]
pub struct Frozen;

#[derive(Debug, PartialEq, Refusal)]
pub enum No {
    #[refusal("that is no longer here", missing)]
    Gone,
    #[refusal("{meters:.1} m is out of reach of {who}")]
    TooFar { meters: f32, who: String },
}

#[reducer]
fn send(_ctx: &mut Ctx, to: Vec<EntityId>, text: String, urgent: bool) -> Result<u64, No> {
    Err(No::TooFar { meters: to.len() as f32, who: format!("{text}{urgent}") })
}

fn round_trip<T: Row + PartialEq + std::fmt::Debug>(row: T) -> Vec<u8> {
    let mut bytes = Vec::new();
    row.encode(&mut bytes);
    let layout = RowLayout::of(&T::def().fields);
    check_row(&layout, &bytes).unwrap();
    assert_eq!((layout.size as usize, layout.flat), (T::SIZE, T::FLAT));
    assert_eq!(T::decode(&bytes).unwrap(), row);
    bytes
}

fn stack() -> Stack {
    Stack { item: 7, kind: Kind::Ore, fresh: true, reserved: 0 }
}

#[test]
fn a_flat_row_is_its_memory() {
    let bag = Bag { owner: EntityId(9), at: Vec2::new(1.0, -2.0), stacks: [stack(); 2] };
    let bytes = round_trip(bag);
    assert_eq!(bytes.len(), size_of::<Bag>());
    assert_eq!(&bytes[16..24], [7, 0, 0, 0, 0xf4, 1, 1, 0]);
    assert!(round_trip(Frozen).is_empty());
}

#[test]
fn variable_fields_have_tails() {
    round_trip(Letter { urgent: true, to: vec![], text: String::new(), stack: None });
    let letter = Letter {
        urgent: false,
        to: vec![EntityId(1), EntityId(2)],
        text: "hello".to_owned(),
        stack: Some(stack()),
    };
    assert_eq!(round_trip(letter).len(), 1 + 3 * 8 + 16 + 5 + 8);
}

#[test]
fn wrong_bytes_are_errors() {
    assert!(matches!(Bag::decode(&[0; 31]), Err(RowError::Length { .. })));
    assert!(matches!(Bag::decode(&[0; 33]), Err(RowError::Length { .. })));
    assert!(matches!(Bag::decode(&[0; 32]), Err(RowError::Enum { value: 0, .. })));
}

#[test]
fn a_call_is_a_row_of_its_arguments() {
    let call = send::call(vec![EntityId(3)], "hi".to_owned(), true);
    let mut bytes = Vec::new();
    call.encode(&mut bytes);
    let module = Module::new("post", const { &[plugin! { rows: [Letter], reducers: [send] }] });
    let description = module.description();
    check_fields(&description.reducers[0].params, &bytes).unwrap();
    assert_eq!(bytes.len(), 8 + 8 + 1 + 8 + 2);
}

#[test]
fn refusals_have_words_and_fields() {
    let no = No::TooFar { meters: 4.25, who: "Ann".to_owned() };
    assert_eq!(no.to_string(), "4.2 m is out of reach of Ann");
    let bytes = no.encode();
    assert_eq!((bytes.variant, bytes.message.as_str()), (1, "4.2 m is out of reach of Ann"));
    check_fields(&No::defs()[1].fields, &bytes.fields).unwrap();
    assert_eq!(No::decode(1, &bytes.fields), Some(Ok(no)));
    assert_eq!(No::decode(0, &[]), Some(Ok(No::from(Missing { row: "Bag" }))));
    assert_eq!(No::decode(2, &[]), None);
    assert!(matches!(No::decode(1, &[0; 3]), Some(Err(RowError::Length { .. }))));
}

proptest! {
    #[test]
    fn any_row_round_trips(
        urgent: bool,
        to in prop::collection::vec(any::<u64>(), 0..5),
        text: String,
        stack in prop::option::of((any::<u32>(), any::<bool>())),
    ) {
        let kind = |ore| if ore { Kind::Ore } else { Kind::Tree };
        let stack = stack.map(|(item, ore)| Stack { item, kind: kind(ore), fresh: ore, reserved: 0 });
        round_trip(Letter { urgent, to: to.into_iter().map(EntityId).collect(), text, stack });
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(prop_oneof![0u8..30, any::<u8>()], 0..80)) {
        let _ = Letter::decode(&bytes);
        let _ = Bag::decode(&bytes);
        let _ = No::decode(1, &bytes);
    }
}
