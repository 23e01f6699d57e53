//! What is stored: `durable | checkpoint | transient`, `#[was("..")]` and `#[default(..)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, Ident, Lit, LitStr, Meta, Result, Type};

use crate::args::{Arg, Args, Value};
use crate::units;

/// The arguments that say what of a row type's rows is stored.
pub(crate) const CLASSES: [&str; 3] = ["durable", "checkpoint", "transient"];

/// The `StorageClass` that the arguments of a row type's attribute ask for.
pub(crate) fn class(args: &Args) -> Result<TokenStream> {
    let mut asked = args.iter().filter(|arg| CLASSES.iter().any(|class| arg.name == class));
    let Some(class) = asked.next() else {
        return Ok(quote!(::evertick_module::schema::StorageClass::Durable));
    };
    if let Some(other) = asked.next() {
        let message = format!("a row type has one storage class, this one is `{}` already", class.name);
        return Err(Error::new(other.name.span(), message));
    }
    let every = match &class.value {
        Value::Flag => None,
        Value::Is(value) if class.name == "checkpoint" => match &**value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(units::time_us(text)?),
            other => {
                return Err(Error::new_spanned(
                    other,
                    "the time between two checkpoints is text, as in \"5s\"",
                ));
            }
        },
        _ if class.name == "checkpoint" => {
            return Err(Error::new(
                class.name.span(),
                "`checkpoint` stands alone or says how often: `checkpoint = \"5s\"`",
            ));
        }
        _ => return Err(Error::new(class.name.span(), format!("`{}` takes no value", class.name))),
    };
    Ok(match class.name.to_string().as_str() {
        "durable" => quote!(::evertick_module::schema::StorageClass::Durable),
        "transient" => quote!(::evertick_module::schema::StorageClass::Transient),
        _ => match every {
            Some(every_us) => {
                quote!(::evertick_module::schema::StorageClass::Checkpoint { every_us: #every_us })
            }
            None => quote!(::evertick_module::schema::StorageClass::CHECKPOINT),
        },
    })
}

/// An error for the first argument that says how an event is stored: it isn't.
pub(crate) fn not_of_an_event(args: &Args) -> Result<()> {
    let stored = |arg: &&Arg| arg.name == "was" || CLASSES.iter().any(|class| arg.name == class);
    match args.iter().find(stored) {
        None => Ok(()),
        Some(arg) => Err(Error::new(
            arg.name.span(),
            format!("an event is sent and never stored: leave `{}` out", arg.name),
        )),
    }
}

/// The row type's former name: `was = ".."` among the attribute's arguments, or `#[was("..")]` below it, which is
/// removed from `attrs`.
pub(crate) fn take_former_name(args: &Args, attrs: &mut Vec<Attribute>) -> Result<Option<String>> {
    let (ours, others) = std::mem::take(attrs).into_iter().partition(|attr| attr.path().is_ident("was"));
    *attrs = others;
    let ours: Vec<Attribute> = ours;
    let mut name = args.string("was")?.map(|name| identifier(&name)).transpose()?;
    for attr in ours {
        let given = former_name(&attr)?;
        if name.replace(given).is_some() {
            return Err(Error::new_spanned(attr, "a former name is given twice"));
        }
    }
    Ok(name)
}

/// The name in `#[was("..")]`.
pub(crate) fn former_name(attr: &Attribute) -> Result<String> {
    let text = match &attr.meta {
        Meta::List(_) => attr.parse_args::<LitStr>().ok(),
        Meta::Path(_) | Meta::NameValue(_) => None,
    };
    match text {
        Some(text) => identifier(&text),
        None => Err(Error::new_spanned(attr, "write the former name as text: `#[was(\"old\")]`")),
    }
}

fn identifier(text: &LitStr) -> Result<String> {
    let value = text.value();
    match syn::parse_str::<Ident>(&value) {
        Ok(_) => Ok(value),
        Err(_) => {
            Err(Error::new(text.span(), format!("`{value}` was never the name of a row type or field")))
        }
    }
}

/// The value in `#[default]`, `#[default("text")]` or `#[default(expression)]` as an expression of type `ty`.
pub(crate) fn default_value(attr: &Attribute, ty: &Type) -> Result<TokenStream> {
    let value = match &attr.meta {
        Meta::Path(_) => return Ok(quote!(<#ty as ::core::default::Default>::default())),
        Meta::NameValue(_) => {
            return Err(Error::new_spanned(attr, "write the value in parentheses: `#[default(1)]`"));
        }
        Meta::List(_) => attr.parse_args::<Expr>()?,
    };
    Ok(match &value {
        // So that a `String` needs no `.into()`.
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if is_string(ty) => {
            quote!(<#ty as ::core::convert::From<&str>>::from(#text))
        }
        value => quote_spanned!(value.span()=> #value),
    })
}

fn is_string(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "String"))
}
