//! The fields of rows, structs, calls and refusals, as description and as code that reads and writes them.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Error, Ident, Meta, Result, Type};

use crate::args::{Arg, Args, Value};
use crate::storage;

/// One named field.
pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) wire: Option<TokenStream>,
    pub(crate) index: Option<Index>,
    was: Option<String>,
    /// An expression of the field's type.
    default: Option<TokenStream>,
}

/// An index that the field asks for.
#[derive(Clone, Copy)]
pub(crate) struct Index {
    pub(crate) kind: IndexKind,
    pub(crate) unique: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum IndexKind {
    Hash,
    Dense,
    Ordered,
}

impl Field {
    pub(crate) fn plain(name: Ident, ty: Type) -> Self {
        Self { name, ty, wire: None, index: None, was: None, default: None }
    }

    /// The field's name in descriptions.
    pub(crate) fn text(&self) -> String {
        let name = self.name.to_string();
        name.strip_prefix("r#").unwrap_or(&name).to_owned()
    }

    /// Whether it says something about rows stored before it was what it is.
    pub(crate) const fn is_migrated(&self) -> bool {
        self.was.is_some() || self.default.is_some()
    }

    /// The field's `FieldDef`.
    pub(crate) fn def(&self) -> TokenStream {
        let (name, ty) = (self.text(), &self.ty);
        let wire = match &self.wire {
            Some(wire) => quote!(::core::option::Option::Some(#wire)),
            None => quote!(::core::option::Option::None),
        };
        let was = former(self.was.as_ref());
        let default = match &self.default {
            Some(value) => quote!(::core::option::Option::Some(
                ::evertick_module::__private::default_bytes::<#ty>(&{ #value })
            )),
            None => quote!(::core::option::Option::None),
        };
        quote! {
            ::evertick_module::schema::FieldDef {
                name: ::std::string::String::from(#name),
                ty: <#ty as ::evertick_module::schema::Field>::ty(),
                wire: #wire,
                was: #was,
                default: #default,
            }
        }
    }
}

/// An `Option<String>` of a former name.
pub(crate) fn former(name: Option<&String>) -> TokenStream {
    match name {
        Some(name) => quote!(::core::option::Option::Some(::std::string::String::from(#name))),
        None => quote!(::core::option::Option::None),
    }
}

/// Takes the fields of a struct or variant apart. The attributes that are ours are removed from `fields`.
pub(crate) fn take(fields: &mut syn::Fields, index: bool) -> Result<Vec<Field>> {
    let list = match fields {
        syn::Fields::Unit => return Ok(Vec::new()),
        syn::Fields::Named(named) => &mut named.named,
        syn::Fields::Unnamed(unnamed) => {
            return Err(Error::new_spanned(unnamed, "name the fields: `{ name: Type, .. }`"));
        }
    };
    let mut errors: Option<Error> = None;
    let mut taken = Vec::with_capacity(list.len());
    for field in list {
        let Some(name) = field.ident.clone() else { continue };
        let mut ours = Vec::new();
        field.attrs.retain(|attr| {
            let mine = is_ours(attr, index);
            if mine {
                ours.push(attr.clone());
            }
            !mine
        });
        let mut read = Field::plain(name, field.ty.clone());
        for attr in ours {
            if let Err(error) = read.apply(&attr) {
                match &mut errors {
                    Some(errors) => errors.combine(error),
                    None => errors = Some(error),
                }
            }
        }
        taken.push(read);
    }
    errors.map_or(Ok(taken), Err)
}

fn is_ours(attr: &Attribute, index: bool) -> bool {
    ["wire", "was", "default"].iter().any(|name| attr.path().is_ident(name))
        || (index && (attr.path().is_ident("index") || attr.path().is_ident("unique")))
}

impl Field {
    fn apply(&mut self, attr: &Attribute) -> Result<()> {
        if attr.path().is_ident("was") {
            if self.was.replace(storage::former_name(attr)?).is_some() {
                return Err(Error::new_spanned(attr, "a former name is given twice"));
            }
            return Ok(());
        }
        if attr.path().is_ident("default") {
            if self.default.replace(storage::default_value(attr, &self.ty)?).is_some() {
                return Err(Error::new_spanned(attr, "a default is given twice"));
            }
            return Ok(());
        }
        let args = match &attr.meta {
            Meta::Path(_) => Args::none(),
            _ => attr.parse_args()?,
        };
        if attr.path().is_ident("wire") {
            self.wire = Some(wire(attr, &args)?);
        } else if attr.path().is_ident("unique") {
            args.only("`#[unique]`", &[])?;
            let kind = self.index.map_or(IndexKind::Hash, |index| index.kind);
            self.index = Some(Index { kind, unique: true });
        } else {
            let known = ["dense", "ordered"];
            args.only("`#[index]`", &known)?;
            let kind = match (args.flag("dense")?, args.flag("ordered")?) {
                (false, false) => IndexKind::Hash,
                (true, false) => IndexKind::Dense,
                (false, true) => IndexKind::Ordered,
                (true, true) => {
                    return Err(Error::new_spanned(attr, "an index is dense or ordered, not both"));
                }
            };
            let unique = self.index.is_some_and(|index| index.unique);
            self.index = Some(Index { kind, unique });
        }
        Ok(())
    }
}

/// `#[wire(step = .., bits = .., wrap = ..)]` as a `WireDef`.
fn wire(attr: &Attribute, args: &Args) -> Result<TokenStream> {
    args.only("`#[wire]`", &["step", "bits", "wrap"])?;
    let Some(step) = args.expr("step")? else {
        return Err(Error::new_spanned(attr, "`#[wire]` needs a step: `#[wire(step = 0.01)]`"));
    };
    let bits = args.expr("bits")?;
    let wrap = match args.get("wrap") {
        None => quote!(::core::option::Option::None),
        Some(Arg { value: Value::Is(period), .. }) => {
            quote!(::core::option::Option::Some((#period) as f64))
        }
        Some(Arg { value: Value::Flag, name }) => match &bits {
            Some(bits) => quote!(::core::option::Option::Some((#step) as f64 * f64::from(2u8).powi(#bits))),
            None => {
                return Err(Error::new(
                    name.span(),
                    "`wrap` needs the period: `wrap = 6.283185`, or `bits` that fill one",
                ));
            }
        },
        Some(Arg { name, .. }) => return Err(Error::new(name.span(), "`wrap` needs a value: `wrap = ..`")),
    };
    let bits = match bits {
        Some(bits) => quote!(::core::option::Option::Some(#bits)),
        None => quote!(::core::option::Option::None),
    };
    Ok(quote! {
        ::evertick_module::schema::WireDef { step: (#step) as f64, bits: #bits, wrap: #wrap }
    })
}

/// `const SIZE` and `const FLAT` of a row or struct with these fields.
pub(crate) fn size_and_flat(fields: &[Field]) -> TokenStream {
    let types = fields.iter().map(|field| &field.ty).collect::<Vec<_>>();
    quote! {
        const SIZE: usize = 0 #(+ <#types as ::evertick_module::schema::Field>::SIZE)*;
        const FLAT: bool = true #(&& <#types as ::evertick_module::schema::Field>::FLAT)*;
    }
}

/// Where each field lies, from the start of the first: a constant expression.
fn offsets(fields: &[Field]) -> impl Iterator<Item = TokenStream> {
    (0..fields.len()).map(move |index| {
        let before = fields[..index].iter().map(|field| &field.ty);
        quote!(0 #(+ <#before as ::evertick_module::schema::Field>::SIZE)*)
    })
}

/// Statements that write `values` (expressions of references) into the row writer `row` from `at` on.
pub(crate) fn write(
    fields: &[Field],
    values: &[TokenStream],
    row: &TokenStream,
    at: &TokenStream,
) -> TokenStream {
    let types = fields.iter().map(|field| &field.ty);
    let offsets = offsets(fields);
    quote! {
        #(<#types as ::evertick_module::schema::Field>::write(#values, #row, #at + const { #offsets });)*
    }
}

/// Initializers `name: read?` that read every field from the row reader `row` from `at` on.
pub(crate) fn read(fields: &[Field], row: &TokenStream, at: &TokenStream) -> TokenStream {
    let names = fields.iter().map(|field| &field.name);
    let types = fields.iter().map(|field| &field.ty);
    let offsets = offsets(fields);
    quote! {
        #(#names: <#types as ::evertick_module::schema::Field>::read(#row, #at + const { #offsets })?,)*
    }
}

/// An identifier in upper case, for the constant that names an index.
pub(crate) fn upper(name: &Ident) -> Ident {
    let text = name.to_string();
    format_ident!("{}", text.strip_prefix("r#").unwrap_or(&text).to_uppercase(), span = name.span())
}
