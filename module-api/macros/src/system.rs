//! `#[system]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, FnArg, ItemFn, Lit, Result, ReturnType, Type, parse_quote};

use crate::args::Args;
use crate::{function, paths, units};

pub(crate) fn expand(args: &Args, mut item: ItemFn) -> Result<TokenStream> {
    args.only("`#[system]`", &["every", "before", "after"])?;
    function::check("a system", &item)?;
    if let ReturnType::Type(_, ty) = &item.sig.output {
        return Err(Error::new_spanned(ty, "a system returns nothing: nobody called it"));
    }
    let every = match args.string("every")? {
        Some(text) => {
            let us = units::time_us(&text)?;
            quote!(::core::option::Option::Some(#us))
        }
        None => quote!(::core::option::Option::None),
    };
    let (before, after) = (names(args, "before")?, names(args, "after")?);
    let name = item.sig.ident.clone();
    let text = name.to_string();
    let lifetime = parse_quote!('run);
    let types = function::params(&item)
        .map(|param| param_type(param?.1, &lifetime))
        .collect::<Result<Vec<Type>>>()?;
    let positions = 0..types.len();
    let content = quote! {
        #[doc(hidden)]
        pub const fn __entry(
            run: ::evertick_module::__private::RunSystem,
        ) -> ::evertick_module::__private::SystemEntry {
            fn describe(
                numbers: &::evertick_module::__private::Numbers<'_>,
            ) -> ::evertick_module::schema::SystemDef {
                params(numbers)
            }
            fn params<'run>(
                numbers: &::evertick_module::__private::Numbers<'_>,
            ) -> ::evertick_module::schema::SystemDef {
                ::evertick_module::schema::SystemDef {
                    name: ::std::string::String::from(#text),
                    every_us: #every,
                    before: ::std::vec![#(::std::string::String::from(#before)),*],
                    after: ::std::vec![#(::std::string::String::from(#after)),*],
                    params: ::std::vec![
                        #(<#types as ::evertick_module::SystemParam<'run>>::describe(numbers)),*
                    ],
                }
            }
            ::evertick_module::__private::SystemEntry { describe, run }
        }

        #[doc(hidden)]
        #[inline(always)]
        pub fn __invoke<'run, F>(view: &'run ::evertick_module::__private::View<'_>, system: F)
        where
            F: ::core::ops::FnOnce(#(#types),*),
        {
            system(#(<#types as ::evertick_module::SystemParam<'run>>::from_view(view, #positions)),*)
        }
    };
    let docs = function::docs(&item.attrs, &format!("The system `{name}`."));
    let module = function::module(&name, &docs, &content);
    for input in &mut item.sig.inputs {
        if let FnArg::Typed(param) = input {
            *param.ty = paths::with_anonymous_lifetime((*param.ty).clone());
        }
    }
    function::allow(&mut item);
    Ok(quote!(#item #module))
}

/// The type as the generated code names it.
fn param_type(ty: &Type, lifetime: &syn::Lifetime) -> Result<Type> {
    match paths::named_lifetime(ty) {
        Some(named) => {
            Err(Error::new_spanned(named, "leave the lifetime out: rows are lent to a system for one run"))
        }
        None => Ok(paths::with_lifetime(function::inside(ty), lifetime)),
    }
}

/// The systems in `name = system` or `name = [system, "module.system"]`.
fn names(args: &Args, name: &str) -> Result<Vec<String>> {
    match args.expr(name)? {
        None => Ok(Vec::new()),
        Some(Expr::Array(list)) => list.elems.iter().map(one).collect(),
        Some(other) => Ok(vec![one(&other)?]),
    }
}

fn one(value: &Expr) -> Result<String> {
    match value {
        Expr::Path(path) if path.path.segments.last().is_some() => {
            Ok(path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default())
        }
        Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Ok(text.value()),
        other => Err(Error::new_spanned(
            other,
            "systems are named: `before = system`, `before = [one, two]`, or \"module.system\" for another module's",
        )),
    }
}
