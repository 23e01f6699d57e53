//! Calls of reducers: what is asked, what comes of it, and the checks around the guest.

use evertick_schema::{FieldDef, ReducerDef, ReducerKind, RowLayout, check_fields, check_row};
use thiserror::Error;

use crate::Caller;
use crate::guest::{GuestFault, Outcome};

/// The longest text of a refusal, in bytes.
pub const REFUSAL_MESSAGE_BYTES_MAX: usize = 4096;

/// A call of a reducer.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The module, by its position among the simulation's modules.
    pub module: u16,
    /// The reducer, by its position in the module's description.
    pub reducer: u32,
    /// The arguments as one row.
    pub args: &'a [u8],
    /// Who calls.
    pub caller: &'a Caller,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum CallResult {
    /// It is done, and its effects are in the next delta. The result is a row of one field, or empty.
    Ok(Vec<u8>),
    /// The reducer said no, and nothing of the call remains.
    Refused {
        /// The number of the refusal's variant.
        variant: u16,
        /// The text for a person.
        message: String,
        /// The variant's fields, as a row.
        fields: Vec<u8>,
    },
    /// It did not run to its end, and nothing of the call remains.
    Failed(CallError),
}

/// Why a call did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// There is no such module or reducer.
    #[error("there is no such reducer; the client may be built for another version of the module")]
    UnknownReducer,
    /// The caller may not call it.
    #[error("the caller may not call this reducer")]
    Forbidden,
    /// It is an input, or it was sent as one and is none.
    #[error("{0}")]
    WrongKind(&'static str),
    /// The arguments are not a row of the reducer's parameters.
    #[error("bad arguments: {0}")]
    BadArguments(String),
    /// The guest failed.
    #[error("internal error {id}; the server's log has the details under this number")]
    Internal {
        /// The fault's number.
        id: u64,
    },
}

/// A reducer with what is needed to check its calls.
#[derive(Debug)]
pub(crate) struct Reducer {
    def: ReducerDef,
    params: RowLayout,
    result: RowLayout,
}

impl Reducer {
    pub(crate) fn new(def: ReducerDef) -> Self {
        let result: Vec<FieldDef> =
            def.returns.iter().map(|ty| FieldDef::new("result", ty.clone())).collect();
        Self { params: RowLayout::of(&def.params), result: RowLayout::of(&result), def }
    }

    pub(crate) fn kind(&self) -> ReducerKind {
        self.def.kind
    }

    /// Whether `caller` may call it. The server itself, which is nobody, may call anything.
    pub(crate) fn admit(&self, caller: &Caller, kind: ReducerKind) -> Result<(), CallError> {
        match (self.def.kind, kind) {
            (is, wanted) if is == wanted => {}
            (ReducerKind::Input, _) => {
                return Err(CallError::WrongKind(
                    "this reducer is an input: send it for a tick, not as a call",
                ));
            }
            (_, ReducerKind::Input) => {
                return Err(CallError::WrongKind("this reducer is not an input: call it"));
            }
            _ => return Err(CallError::Forbidden),
        }
        if !caller.identity.is_some() {
            return Ok(());
        }
        let has_role = |role: &String| caller.roles.contains(role);
        if self.def.private || !self.def.role.as_ref().is_none_or(has_role) {
            return Err(CallError::Forbidden);
        }
        Ok(())
    }

    /// Whether `args` are its arguments.
    pub(crate) fn check_args(&self, args: &[u8]) -> Result<(), CallError> {
        check_row(&self.params, args).map_err(|error| CallError::BadArguments(error.to_string()))
    }

    /// Whether `outcome` is one that it may have.
    pub(crate) fn check_outcome(&self, outcome: &Outcome) -> Result<(), GuestFault> {
        match outcome {
            Outcome::Ok(bytes) => check_row(&self.result, bytes)
                .map_err(|error| GuestFault::bad_output(format!("the result is malformed: {error}"))),
            Outcome::Refused { variant, message, fields } => {
                let Some(def) = self.def.refusals.get(usize::from(*variant)) else {
                    return Err(GuestFault::bad_output(format!("it refuses with unknown variant {variant}")));
                };
                if message.len() > REFUSAL_MESSAGE_BYTES_MAX {
                    return Err(GuestFault::bad_output(format!(
                        "a refusal's text of {} bytes",
                        message.len()
                    )));
                }
                check_fields(&def.fields, fields).map_err(|error| {
                    GuestFault::bad_output(format!("refusal {} is malformed: {error}", def.name))
                })
            }
        }
    }
}
