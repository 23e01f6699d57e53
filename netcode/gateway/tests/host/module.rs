//! The module that the stand-in host pretends to run: what `#[component]` and friends would generate, by hand.

use evertick_schema::{
    ABI_VERSION, Call, EntityId, Field, FieldDef, ModuleDescription, NoRefusal, ReducerDef, ReducerKind,
    Refusal, RefusalBytes, RefusalDef, Row, RowDef, RowError, RowKind, RowReader, RowWriter, Visibility,
};

fn field<T: Field>(name: &str) -> FieldDef {
    FieldDef::new(name, T::ty())
}

/// A row type with one field.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident { $field:ident: $ty:ty }, $kind:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            pub $field: $ty,
        }

        impl Row for $name {
            const NAME: &'static str = stringify!($name);
            const SIZE: usize = <$ty>::SIZE;
            const FLAT: bool = <$ty>::FLAT;

            fn def() -> RowDef {
                RowDef {
                    visible: Visibility::Everyone,
                    ..RowDef::new(Self::NAME, $kind, vec![field::<$ty>(stringify!($field))])
                }
            }

            fn encode(&self, out: &mut Vec<u8>) {
                self.$field.write(&mut RowWriter::new(out, Self::SIZE), 0);
            }

            fn decode(bytes: &[u8]) -> Result<Self, RowError> {
                Ok(Self { $field: Field::read(&RowReader::new(bytes), 0)? })
            }
        }
    };
}

row!(Score { value: u32 }, RowKind::Component);
row!(
    /// Only some scores have one.
    Title { text: String },
    RowKind::Component
);
row!(
    /// In a topic of its own, which one enters by `look`.
    Secret { value: u32 },
    RowKind::Component
);
row!(Said { text: String }, RowKind::Event);
row!(
    /// Not of this module.
    Foreign { value: u32 },
    RowKind::Component
);

pub mod wrong {
    //! A row type of the right name and the wrong field.
    use super::*;

    row!(Score { value: u64 }, RowKind::Component);
}

/// A call with one argument or none.
macro_rules! call {
    ($number:literal $name:ident($($arg:ident: $ty:ty)?) -> $output:ty, $refusal:ty) => {
        pub struct $name { $(pub $arg: $ty)? }

        impl Call for $name {
            const NAME: &'static str = stringify!($name);
            type Output = $output;
            type Refusal = $refusal;

            #[allow(unused, reason = "some have no argument")]
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$arg.write(&mut RowWriter::new(out, <$ty>::SIZE), 0);)?
            }
        }

        impl $name {
            pub const NUMBER: u32 = $number;

            fn def() -> ReducerDef {
                ReducerDef {
                    name: Self::NAME.to_owned(),
                    kind: ReducerKind::Call,
                    private: false,
                    role: None,
                    rate: None,
                    params: vec![$(field::<$ty>(stringify!($arg)))?],
                    returns: (size_of::<$output>() > 0).then(<$output>::ty),
                    refusals: <$refusal>::defs(),
                }
            }
        }
    };
}

call!(0 Spawn() -> EntityId, NoRefusal);
call!(1 Increment(entity: EntityId) -> u32, IncrementRefusal);
call!(2 Say(text: String) -> (), NoRefusal);
call!(3 Look(on: bool) -> (), NoRefusal);
call!(4 Crash() -> (), NoRefusal);
call!(5 Unheard() -> (), NoRefusal);

#[derive(Debug, PartialEq)]
pub enum IncrementRefusal {
    NoSuch { entity: EntityId },
}

impl Refusal for IncrementRefusal {
    fn defs() -> Vec<RefusalDef> {
        vec![RefusalDef { name: "NoSuch".to_owned(), fields: vec![field::<EntityId>("entity")] }]
    }

    fn encode(&self) -> RefusalBytes {
        let Self::NoSuch { entity } = self;
        let mut fields = Vec::new();
        entity.write(&mut RowWriter::new(&mut fields, EntityId::SIZE), 0);
        RefusalBytes { variant: 0, message: format!("{entity} is not there"), fields }
    }

    fn decode(variant: u16, fields: &[u8]) -> Option<Result<Self, RowError>> {
        (variant == 0).then(|| Ok(Self::NoSuch { entity: Field::read(&RowReader::new(fields), 0)? }))
    }
}

/// The module's description. `Unheard` and `Foreign` are not in it.
pub fn description() -> ModuleDescription {
    ModuleDescription {
        abi: ABI_VERSION,
        name: "standin".to_owned(),
        rows: vec![Score::def(), Title::def(), Secret::def(), Said::def()],
        reducers: vec![Spawn::def(), Increment::def(), Say::def(), Look::def(), Crash::def()],
        systems: Vec::new(),
        predictions: Vec::new(),
    }
}

pub const SCORE: u32 = 0;
pub const TITLE: u32 = 1;
pub const SECRET: u32 = 2;
pub const SAID: u32 = 3;

pub fn bytes<T: Row>(row: &T) -> Vec<u8> {
    let mut out = Vec::new();
    row.encode(&mut out);
    out
}

pub fn argument<T: Field>(args: &[u8]) -> Option<T> {
    T::read(&RowReader::new(args), 0).ok()
}

pub fn result<T: Field>(value: &T) -> bytes::Bytes {
    let mut out = Vec::new();
    value.write(&mut RowWriter::new(&mut out, T::SIZE), 0);
    out.into()
}
