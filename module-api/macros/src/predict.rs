//! `#[predict]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, ItemFn, Result, ReturnType, Type, parse_quote};

use crate::args::Args;
use crate::function;

const SHAPE: &str = "a prediction is `fn(row: &mut Row, .., seconds: f32)`: the row that it changes, arguments of the \
                     input by their names, and the time of a tick";

pub(crate) fn expand(args: &Args, mut item: ItemFn) -> Result<TokenStream> {
    args.only("`#[predict]`", &["input"])?;
    function::check("a prediction", &item)?;
    let input = input(args)?;
    if let ReturnType::Type(_, ty) = &item.sig.output {
        return Err(Error::new_spanned(ty, "a prediction returns nothing: it changes the row"));
    }
    let params: Vec<(Ident, &Type)> = function::params(&item).collect::<Result<_>>()?;
    let [(_, row), arguments @ .., (seconds, time)] = &params[..] else {
        return Err(Error::new_spanned(&item.sig, SHAPE));
    };
    let row = match row {
        Type::Reference(row) if is_context(&row.elem) => {
            return Err(Error::new_spanned(
                row,
                "a prediction has no `Ctx`, as clients run it: it only changes a row",
            ));
        }
        Type::Reference(row) if row.mutability.is_some() => function::inside(&row.elem),
        _ => return Err(Error::new_spanned(row, SHAPE)),
    };
    if *seconds != "seconds" {
        return Err(Error::new(seconds.span(), SHAPE));
    }
    let values: Vec<TokenStream> =
        arguments.iter().map(|(name, _)| quote_spanned!(name.span() => input.#name)).collect();
    let types: Vec<Type> = arguments.iter().map(|(_, ty)| function::inside(ty)).collect();
    let time = function::inside(time);
    let name = item.sig.ident.clone();
    let text = name.to_string();
    let flat = quote_spanned! { row.span() =>
        const _: () = {
            const fn component<T: ::evertick_module::Component>() -> bool {
                T::FLAT
            }
            ::core::assert!(component::<#row>(), "a prediction changes a component whose fields all have a fixed size");
        };
    };
    let content = quote! {
        #flat

        #[doc(hidden)]
        pub const fn __entry(
            run: ::evertick_module::__private::RunPrediction,
        ) -> ::evertick_module::__private::PredictionEntry {
            fn describe(
                numbers: &::evertick_module::__private::Numbers<'_>,
            ) -> ::evertick_module::schema::PredictionDef {
                ::evertick_module::schema::PredictionDef {
                    name: ::std::string::String::from(#text),
                    row: numbers.row::<#row>(),
                    reducer: numbers.reducer::<#input::Call>(),
                }
            }
            ::evertick_module::__private::PredictionEntry { describe, run }
        }

        #[doc(hidden)]
        #[inline(always)]
        pub fn __invoke<F>(
            row: &mut [u8],
            args: &[u8],
            seconds: f32,
            predict: F,
        ) -> ::core::result::Result<(), ::evertick_module::schema::RowError>
        where
            F: ::core::ops::FnOnce(&mut #row, #(#types,)* #time),
        {
            #[allow(unused_variables)]
            let input = #input::__decode(args)?;
            ::evertick_module::__private::predict_row(row, |row: &mut #row| {
                predict(row, #(#values,)* seconds)
            })
        }
    };
    let docs = function::docs(&item.attrs, &format!("The prediction `{name}`."));
    let module = function::module(&name, &docs, &content);
    function::allow(&mut item);
    Ok(quote!(#item #module))
}

fn is_context(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Ctx"))
}

/// The path to the input reducer, as it is named from the generated module.
fn input(args: &Args) -> Result<Type> {
    match args.expr("input")? {
        Some(Expr::Path(path)) => Ok(function::inside(&parse_quote!(#path))),
        Some(other) => Err(Error::new_spanned(other, "name the input reducer: `#[predict(input = steer)]`")),
        None => Err(Error::new(
            proc_macro2::Span::call_site(),
            "a prediction is of an input: `#[predict(input = steer)]`, with `#[reducer(input)]` on `steer`",
        )),
    }
}
