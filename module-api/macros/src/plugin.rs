//! `plugin!`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, Path, Result, Token, bracketed};

/// `rows: [..], reducers: [..], systems: [..], predictions: [..]`, in any order, each at most once.
pub(crate) struct Plugin {
    rows: Vec<Path>,
    reducers: Vec<Path>,
    systems: Vec<Path>,
    predictions: Vec<Path>,
}

impl Parse for Plugin {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (mut rows, mut reducers, mut systems, mut predictions) = (None, None, None, None);
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            let list = match key.to_string().as_str() {
                "rows" => &mut rows,
                "reducers" => &mut reducers,
                "systems" => &mut systems,
                "predictions" => &mut predictions,
                _ => {
                    return Err(Error::new(
                        key.span(),
                        format!(
                            "unknown list `{key}`; a plugin has `rows`, `reducers`, `systems` and `predictions`"
                        ),
                    ));
                }
            };
            if list.is_some() {
                return Err(Error::new(key.span(), format!("`{key}` is given twice")));
            }
            input.parse::<Token![:]>()?;
            *list = Some(paths(input)?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(Self {
            rows: rows.unwrap_or_default(),
            reducers: reducers.unwrap_or_default(),
            systems: systems.unwrap_or_default(),
            predictions: predictions.unwrap_or_default(),
        })
    }
}

/// `[path, path]`
pub(crate) fn paths(input: ParseStream<'_>) -> Result<Vec<Path>> {
    let content;
    bracketed!(content in input);
    let paths = Punctuated::<Path, Token![,]>::parse_terminated_with(&content, Path::parse_mod_style)?;
    Ok(paths.into_iter().collect())
}

pub(crate) fn expand(plugin: &Plugin) -> TokenStream {
    let Plugin { rows, reducers, systems, predictions } = plugin;
    quote! {
        ::evertick_module::Plugin::__new(
            const { &[#(::evertick_module::__private::RowEntry::of::<#rows>()),*] },
            const { &[#(#reducers::__entry(|ctx, args, out| #reducers::__invoke(ctx, args, out, #reducers))),*] },
            const { &[#(#systems::__entry(|view| #systems::__invoke(view, #systems))),*] },
            const {
                &[#(#predictions::__entry(|row, args, seconds| {
                    #predictions::__invoke(row, args, seconds, #predictions)
                })),*]
            },
        )
    }
}
