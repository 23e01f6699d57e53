//! The arguments of an attribute: `name`, `name = value` or `name(arguments)`, separated by commas.

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, Lit, Result, Token, parenthesized};

pub(crate) struct Args {
    list: Vec<Arg>,
}

pub(crate) struct Arg {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// `name`
    Flag,
    /// `name = value`
    Is(Box<Expr>),
    /// `name(..)`
    List(Args),
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let list = Punctuated::<Arg, Token![,]>::parse_terminated(input)?;
        let args = Self { list: list.into_iter().collect() };
        for (index, arg) in args.list.iter().enumerate() {
            if args.list[..index].iter().any(|earlier| earlier.name == arg.name) {
                return Err(Error::new(arg.name.span(), format!("`{}` is given twice", arg.name)));
            }
        }
        Ok(args)
    }
}

impl Parse for Arg {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Value::Is(Box::new(input.parse()?))
        } else if input.peek(syn::token::Paren) {
            let content;
            parenthesized!(content in input);
            Value::List(content.parse()?)
        } else {
            Value::Flag
        };
        Ok(Self { name, value })
    }
}

impl Args {
    pub(crate) const fn none() -> Self {
        Self { list: Vec::new() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arg> {
        self.list.iter()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arg> {
        self.list.iter().find(|arg| arg.name == name)
    }

    /// An error for the first argument that is not in `known`.
    pub(crate) fn only(&self, what: &str, known: &[&str]) -> Result<()> {
        match self.list.iter().find(|arg| !known.iter().any(|name| arg.name == name)) {
            None => Ok(()),
            Some(arg) if known.is_empty() => {
                Err(Error::new(arg.name.span(), format!("{what} takes no arguments")))
            }
            Some(arg) => Err(Error::new(
                arg.name.span(),
                format!("unknown argument `{}`; {what} takes {}", arg.name, listed(known)),
            )),
        }
    }

    /// The string given as `name = ".."`.
    pub(crate) fn string(&self, name: &str) -> Result<Option<syn::LitStr>> {
        self.value(name, "a string: `{name} = \"..\"`", |value| match value {
            Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
            _ => None,
        })
    }

    /// The name given as `name = ident`.
    pub(crate) fn ident(&self, name: &str) -> Result<Option<Ident>> {
        self.value(name, "a name: `{name} = ..`", ident)
    }

    /// The expression given as `name = ..`.
    pub(crate) fn expr(&self, name: &str) -> Result<Option<Expr>> {
        self.value(name, "a value: `{name} = ..`", |value| Some(value.clone()))
    }

    /// Whether `name` stands there alone.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            None => Ok(false),
            Some(Arg { value: Value::Flag, .. }) => Ok(true),
            Some(arg) => Err(Error::new(arg.name.span(), format!("`{name}` takes no value"))),
        }
    }

    fn value<T>(&self, name: &str, want: &str, read: impl Fn(&Expr) -> Option<T>) -> Result<Option<T>> {
        let Some(arg) = self.get(name) else { return Ok(None) };
        let value = match &arg.value {
            Value::Is(value) => read(value),
            Value::Flag | Value::List(_) => None,
        };
        match value {
            Some(value) => Ok(Some(value)),
            None => {
                let want = want.replace("{name}", name);
                Err(Error::new(arg.name.span(), format!("`{name}` needs {want}")))
            }
        }
    }
}

/// The single name that `value` is.
pub(crate) fn ident(value: &Expr) -> Option<Ident> {
    match value {
        Expr::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    }
}

/// "`a`, `b` and `c`"
fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
