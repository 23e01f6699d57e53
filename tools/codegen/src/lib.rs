//! TypeScript bindings from a [`ModuleDescription`].
//!
//! [`typescript`] turns a description into one source file for `@evertick/client`: an interface and a typed
//! token for every row that a client may see, a token and a refusal type for every reducer it may call, and
//! the part of the description that the client needs to read frames. Names are those of the module, letter by
//! letter. What a client may neither see nor call leaves no name behind in the file.
//!
//! The same description always gives the same bytes.

mod emit;
mod names;
mod types;

use evertick_schema::{ModuleDescription, Problem};
use thiserror::Error;

/// Why no bindings could be made.
#[derive(Debug, Error)]
pub enum CodegenError {
    /// The description contradicts itself.
    #[error("the description has {} problems; the first: {}; fix the module and build it again", .0.len(), .0[0])]
    Invalid(Vec<Problem>),
    /// A type that TypeScript has no word for.
    #[error("{place}: an option of an option can't be told apart in TypeScript; use an enum or two fields")]
    NestedOption {
        /// The row or reducer, and its field.
        place: String,
    },
}

/// The TypeScript source for clients of `module`. Cost: linear in the description.
///
/// ```
/// use evertick_schema::*;
/// let module = ModuleDescription {
///     abi: ABI_VERSION,
///     name: "tiny".into(),
///     rows: vec![RowDef {
///         visible: Visibility::Near,
///         ..RowDef::new("Position", RowKind::Component, vec![FieldDef::new("at", Type::Vec2)])
///     }],
///     reducers: vec![],
///     systems: vec![],
///     predictions: vec![],
/// };
/// let source = evertick_codegen::typescript(&module)?;
/// assert!(source.contains("export interface Position {\n  at: ev.Vec2;\n}"));
/// # Ok::<_, evertick_codegen::CodegenError>(())
/// ```
pub fn typescript(module: &ModuleDescription) -> Result<String, CodegenError> {
    module.check().map_err(CodegenError::Invalid)?;
    emit::module(module)
}
