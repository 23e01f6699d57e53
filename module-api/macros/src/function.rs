//! What reducers and systems have in common: a plain function, and a module of the same name beside it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Error, FnArg, Ident, ItemFn, Pat, Result, Type, parse_quote};

use crate::paths;

/// Turns down what can't be called from outside.
pub(crate) fn check(what: &str, item: &ItemFn) -> Result<()> {
    let sig = &item.sig;
    if let Some(token) = &sig.asyncness {
        return Err(Error::new_spanned(
            token,
            format!("{what} can't be async: it runs to its end in one step"),
        ));
    }
    if !sig.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &sig.generics,
            format!("{what} can't be generic: leave type and lifetime parameters out"),
        ));
    }
    match sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => {
            Err(Error::new_spanned(receiver, format!("{what} is a free function, not a method")))
        }
        _ => Ok(()),
    }
}

/// One parameter: its name without `mut`, and its type.
pub(crate) fn params(item: &ItemFn) -> impl Iterator<Item = Result<(Ident, &Type)>> {
    item.sig.inputs.iter().map(|input| match input {
        FnArg::Receiver(receiver) => Err(Error::new_spanned(receiver, "a free function has no `self`")),
        FnArg::Typed(param) => match &*param.pat {
            Pat::Ident(pat) => Ok((pat.ident.clone(), &*param.ty)),
            Pat::Wild(wild) => Err(Error::new_spanned(wild, "name the parameter")),
            other => Err(Error::new_spanned(other, "a parameter is a plain name here")),
        },
    })
}

/// Allows what the shape of reducers and systems asks for.
pub(crate) fn allow(item: &mut ItemFn) {
    item.attrs.push(parse_quote!(#[allow(clippy::needless_pass_by_value, clippy::too_many_arguments, clippy::type_complexity)]));
}

/// The doc comments of `attrs`, or `instead`.
pub(crate) fn docs(attrs: &[Attribute], instead: &str) -> TokenStream {
    let mut docs = attrs.iter().filter(|attr| attr.path().is_ident("doc")).peekable();
    if docs.peek().is_none() {
        return quote!(#[doc = #instead]);
    }
    quote!(#(#docs)*)
}

/// `pub mod name { use super::*; .. }` with `content`.
pub(crate) fn module(name: &Ident, docs: &TokenStream, content: &TokenStream) -> TokenStream {
    quote! {
        #docs
        #[allow(
            dead_code,
            unused_imports,
            unreachable_pub,
            private_interfaces,
            clippy::too_many_arguments,
            clippy::type_complexity,
            clippy::needless_pass_by_value,
            clippy::wildcard_imports
        )]
        pub mod #name {
            use super::*;
            #content
        }
    }
}

/// `ty` as it is named from that module.
pub(crate) fn inside(ty: &Type) -> Type {
    paths::from_child(ty.clone())
}
