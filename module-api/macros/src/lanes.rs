//! The arguments of a row type that say how its changes travel: `latest`, `ordered`, `detail`, `on_demand`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Result};

use crate::args::Args;

/// The fields `latest`, `detail` and `on_demand` of a `RowDef`. What does not go together with fields or visibility is the
/// description's check to find.
pub(crate) fn class(args: &Args) -> Result<TokenStream> {
    let latest = match (args.flag("latest")?, args.flag("ordered")?) {
        (true, true) => {
            let span = args.get("ordered").map_or_else(proc_macro2::Span::call_site, |arg| arg.name.span());
            return Err(Error::new(span, "changes are either `latest` or `ordered`"));
        }
        (true, false) => quote!(::core::option::Option::Some(true)),
        (false, true) => quote!(::core::option::Option::Some(false)),
        (false, false) => quote!(::core::option::Option::None),
    };
    let (detail, on_demand) = (args.flag("detail")?, args.flag("on_demand")?);
    Ok(quote!(latest: #latest, detail: #detail, on_demand: #on_demand,))
}
