//! The macros of `evertick-module`. Use them through that crate, which documents what they mean; everything
//! here turns one Rust item into that item plus the trait impls and the entry that `plugin!` lists.
//!
//! Three rules hold for all of them: the user's own item is emitted even when an attribute is wrong, so that
//! one mistake gives one error; generated code names everything by absolute path; and nothing generated
//! but `plugin!` mentions the user's function, so that an unlisted reducer or system is "never used".

mod args;
mod derive_field;
mod export;
mod fields;
mod function;
mod kind;
mod lanes;
mod paths;
mod plugin;
mod predict;
mod reducer;
mod refusal;
mod row;
mod storage;
mod system;
mod units;

use proc_macro::TokenStream;
use syn::parse_macro_input;

use crate::args::Args;

/// Makes a struct a component: a row type keyed by entity.
#[proc_macro_attribute]
pub fn component(args: TokenStream, item: TokenStream) -> TokenStream {
    row_type(kind::Kind::Component, args, item)
}

/// Makes a struct a table: a row type keyed by a field of its own.
#[proc_macro_attribute]
pub fn table(args: TokenStream, item: TokenStream) -> TokenStream {
    row_type(kind::Kind::Table, args, item)
}

/// Makes a struct a resource: a row type with one row.
#[proc_macro_attribute]
pub fn resource(args: TokenStream, item: TokenStream) -> TokenStream {
    row_type(kind::Kind::Resource, args, item)
}

/// Makes a struct an event: a row that is sent and never stored.
#[proc_macro_attribute]
pub fn event(args: TokenStream, item: TokenStream) -> TokenStream {
    row_type(kind::Kind::Event, args, item)
}

fn row_type(kind: kind::Kind, args: TokenStream, item: TokenStream) -> TokenStream {
    let args = parse_macro_input!(args as Args);
    let item = parse_macro_input!(item as syn::ItemStruct);
    row::expand(kind, &args, item).into()
}

/// Makes a function a reducer: a transaction that clients, timers and the server call.
#[proc_macro_attribute]
pub fn reducer(args: TokenStream, item: TokenStream) -> TokenStream {
    let args = parse_macro_input!(args as Args);
    let item = parse_macro_input!(item as syn::ItemFn);
    finish(reducer::expand(&args, item.clone()), &item)
}

/// Makes a function a system: code that sweeps columns at a fixed rate.
#[proc_macro_attribute]
pub fn system(args: TokenStream, item: TokenStream) -> TokenStream {
    let args = parse_macro_input!(args as Args);
    let item = parse_macro_input!(item as syn::ItemFn);
    finish(system::expand(&args, item.clone()), &item)
}

/// Makes a function a prediction: what clients run at once for an input of their own.
#[proc_macro_attribute]
pub fn predict(args: TokenStream, item: TokenStream) -> TokenStream {
    let args = parse_macro_input!(args as Args);
    let item = parse_macro_input!(item as syn::ItemFn);
    finish(predict::expand(&args, item.clone()), &item)
}

/// Makes an enum the refusal of reducers.
#[proc_macro_derive(Refusal, attributes(refusal))]
pub fn refusal(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as syn::ItemEnum);
    refusal::expand(&item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a C-like enum or a struct a field type of rows, arguments and results.
#[proc_macro_derive(Field, attributes(wire, was, default))]
pub fn field(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as syn::Item);
    derive_field::expand(&item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Lists what one file adds to its module.
#[proc_macro]
pub fn plugin(input: TokenStream) -> TokenStream {
    plugin::expand(&parse_macro_input!(input as plugin::Plugin)).into()
}

/// Puts plugins together to a module and exports it.
#[proc_macro]
pub fn export_module(input: TokenStream) -> TokenStream {
    export::expand(&parse_macro_input!(input as export::Export)).into()
}

/// On an error the item stays as it was written, so that other code that uses it makes no errors of its own.
fn finish(expanded: syn::Result<proc_macro2::TokenStream>, item: &impl quote::ToTokens) -> TokenStream {
    match expanded {
        Ok(tokens) => tokens.into(),
        Err(error) => {
            let mut tokens = quote::ToTokens::to_token_stream(item);
            tokens.extend(error.into_compile_error());
            tokens.into()
        }
    }
}
