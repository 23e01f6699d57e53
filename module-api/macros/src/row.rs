//! `#[component]`, `#[table]`, `#[resource]` and `#[event]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Error, Expr, Ident, ItemStruct, Result, parse_quote};

use crate::args::{self, Arg, Args, Value};
use crate::fields::{self, Field, Index, IndexKind};
use crate::kind::Kind;
use crate::{lanes, storage};

pub(crate) fn expand(kind: Kind, args: &Args, mut item: ItemStruct) -> TokenStream {
    let taken = fields::take(&mut item.fields, true);
    let was = storage::take_former_name(args, &mut item.attrs);
    let impls = taken.and_then(|fields| impls(kind, args, &item, fields, was?));
    dress(&mut item);
    let impls = impls.unwrap_or_else(Error::into_compile_error);
    quote!(#item #impls)
}

/// Adds the layout and the derives that a row needs and its author has not written.
fn dress(item: &mut ItemStruct) {
    item.attrs.push(parse_quote!(#[repr(C)]));
    for name in ["Clone", "Debug", "PartialEq"] {
        let derived = item.attrs.iter().any(|attr| {
            let mut found = false;
            if attr.path().is_ident("derive") {
                // Anything that is not a plain list of paths is the compiler's to complain about.
                let _ = attr.parse_nested_meta(|meta| {
                    found |= meta.path.segments.last().is_some_and(|last| last.ident == name);
                    Ok(())
                });
            }
            found
        });
        if !derived {
            let name = Ident::new(name, proc_macro2::Span::call_site());
            item.attrs.push(parse_quote!(#[derive(#name)]));
        }
    }
}

fn impls(
    kind: Kind,
    args: &Args,
    item: &ItemStruct,
    fields: Vec<Field>,
    was: Option<String>,
) -> Result<TokenStream> {
    if kind == Kind::Event {
        storage::not_of_an_event(args)?;
        if was.is_some() {
            return Err(Error::new(item.ident.span(), "an event is never stored and needs no former name"));
        }
        if let Some(field) = fields.iter().find(|field| field.is_migrated()) {
            return Err(Error::new(
                field.name.span(),
                "an event is never stored: its fields need neither `#[was]` nor `#[default]`",
            ));
        }
    }
    args.only(kind.attribute(), kind.known())?;
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a row type can't be generic: its bytes are its columns",
        ));
    }
    let row = Row { kind, args, name: &item.ident, fields, was };
    let row_impl = row.row_impl()?;
    let module_row_impl = row.module_row_impl();
    let marker = row.marker()?;
    let indexes = row.index_constants();
    let padding = row.padding_check();
    Ok(quote! {
        const _: () = {
            #padding
            #row_impl
            #module_row_impl
            #marker
        };
        #indexes
    })
}

struct Row<'a> {
    kind: Kind,
    args: &'a Args,
    name: &'a Ident,
    fields: Vec<Field>,
    /// The row type's former name.
    was: Option<String>,
}

impl Row<'_> {
    /// The position of the field called `name`.
    fn field(&self, name: &Ident) -> Result<u16> {
        match self.fields.iter().position(|field| field.name == *name) {
            Some(index) => u16::try_from(index).map_err(|_| Error::new(name.span(), "too many fields")),
            None => Err(Error::new(name.span(), format!("`{}` has no field `{name}`", self.name))),
        }
    }

    fn key(&self) -> Result<Ident> {
        self.args.ident("key")?.ok_or_else(|| {
            Error::new(
                self.name.span(),
                "a table needs a key: `#[table(key = field)]`; rows of an entity are a `#[component]`",
            )
        })
    }

    fn row_impl(&self) -> Result<TokenStream> {
        let ident = self.name;
        let name = match self.args.string("module")? {
            Some(module) => format!("{}.{ident}", module.value()),
            None => ident.to_string(),
        };
        let kind = match self.kind {
            Kind::Component => quote!(Component),
            Kind::Table => {
                let key = self.field(&self.key()?)?;
                quote!(Table { key: #key })
            }
            Kind::Resource => quote!(Resource),
            Kind::Event => quote!(Event),
        };
        let size_and_flat = fields::size_and_flat(&self.fields);
        let defs = self.fields.iter().map(Field::def);
        let visible = self.visible()?;
        let spatial = self.spatial()?;
        let origin = self.origin()?;
        let indexes = self.index_defs()?;
        let storage = storage::class(self.args)?;
        let was = fields::former(self.was.as_ref());
        let lanes = lanes::class(self.args)?;
        let values: Vec<_> =
            self.fields.iter().map(|field| &field.name).map(|name| quote!(&self.#name)).collect();
        let write = fields::write(&self.fields, &values, &quote!(&mut row), &quote!(0));
        let read = fields::read(&self.fields, &quote!(&row), &quote!(0));
        Ok(quote! {
            impl ::evertick_module::schema::Row for #ident {
                const NAME: &'static str = #name;
                #size_and_flat

                fn def() -> ::evertick_module::schema::RowDef {
                    let fields = ::std::vec![#(#defs),*];
                    ::evertick_module::schema::RowDef {
                        name: ::std::string::String::from(#name),
                        kind: ::evertick_module::schema::RowKind::#kind,
                        visible: ::evertick_module::schema::Visibility::#visible,
                        spatial: #spatial,
                        origin: #origin,
                        indexes: ::std::vec![#(#indexes),*],
                        storage: #storage,
                        was: #was,
                        #lanes
                        fields,
                    }
                }

                #[allow(unused_mut, unused_variables)]
                fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                    let mut row = ::evertick_module::schema::RowWriter::new(out, Self::SIZE);
                    #write
                }

                fn decode(bytes: &[u8]) -> ::core::result::Result<Self, ::evertick_module::schema::RowError> {
                    let row = ::evertick_module::__private::row_reader(bytes, Self::SIZE, Self::FLAT)?;
                    ::core::result::Result::Ok(Self { #read })
                }
            }
        })
    }

    fn module_row_impl(&self) -> TokenStream {
        let name = self.name;
        quote! {
            // SAFETY: the struct is `repr(C)`; the padding check above proves that, when it is flat, its fields
            // have the sizes of their types' bytes and stand without gaps.
            unsafe impl ::evertick_module::__private::ModuleRow for #name {
                type Buffer = [u8; ::evertick_module::__private::buffer_len(
                    <#name as ::evertick_module::schema::Row>::SIZE,
                    <#name as ::evertick_module::schema::Row>::FLAT,
                )];

                fn slot() -> &'static ::evertick_module::__private::Slot {
                    static SLOT: ::evertick_module::__private::Slot =
                        ::evertick_module::__private::Slot::new();
                    &SLOT
                }
            }
        }
    }

    /// The trait that says what sort of row type it is.
    fn marker(&self) -> Result<TokenStream> {
        let name = self.name;
        Ok(match self.kind {
            Kind::Component => quote!(impl ::evertick_module::Component for #name {}),
            Kind::Resource => quote!(impl ::evertick_module::Resource for #name {}),
            Kind::Event => quote!(impl ::evertick_module::Event for #name {}),
            Kind::Table => {
                let key = self.key()?;
                let index = self.field(&key)?;
                let ty = &self.fields[usize::from(index)].ty;
                quote! {
                    impl ::evertick_module::Component for #name {}
                    impl ::evertick_module::TableRow for #name {
                        type Key = #ty;
                        const KEY: u16 = #index;
                        fn key(&self) -> &Self::Key {
                            &self.#key
                        }
                    }
                }
            }
        })
    }

    fn visible(&self) -> Result<TokenStream> {
        let key = self.kind.known()[0];
        let wrong = |span| {
            Error::new(
                span,
                format!(
                    "`{key}` is one of `nobody`, `owner`, `owner(field)`, `near`, `group(field)` and `everyone`"
                ),
            )
        };
        let Some(value) = self.args.expr(key)? else {
            if self.kind == Kind::Event {
                return Err(Error::new(
                    self.name.span(),
                    "an event goes to somebody: `#[event(to = near)]`, `everyone`, `owner(field)` or `group(field)`",
                ));
            }
            return Ok(quote!(Nobody));
        };
        let span = syn::spanned::Spanned::span(&value);
        if let Expr::Call(call) = &value {
            let (func, field) = match (args::ident(&call.func), call.args.first()) {
                (Some(func), Some(field)) if call.args.len() == 1 => (func, field),
                _ => return Err(wrong(span)),
            };
            let field = self.field(&args::ident(field).ok_or_else(|| wrong(span))?)?;
            return match func.to_string().as_str() {
                "owner" => Ok(quote!(Owner { field: ::core::option::Option::Some(#field) })),
                "group" => Ok(quote!(Group { field: #field })),
                _ => Err(wrong(span)),
            };
        }
        match args::ident(&value).ok_or_else(|| wrong(span))?.to_string().as_str() {
            "nobody" => Ok(quote!(Nobody)),
            "owner" => Ok(quote!(Owner { field: ::core::option::Option::None })),
            "near" => Ok(quote!(Near)),
            "everyone" => Ok(quote!(Everyone)),
            _ => Err(wrong(span)),
        }
    }

    /// `spatial` or `spatial(at = field, space = field)`.
    fn spatial(&self) -> Result<TokenStream> {
        let none = Args::none();
        let args = match self.args.get("spatial") {
            None => return Ok(quote!(::core::option::Option::None)),
            Some(Arg { value: Value::Flag, .. }) => &none,
            Some(Arg { value: Value::List(list), .. }) => list,
            Some(arg) => {
                return Err(Error::new(
                    arg.name.span(),
                    "`spatial` stands alone or names its fields: `spatial(at = field, space = field)`",
                ));
            }
        };
        args.only("`spatial`", &["at", "space"])?;
        let at = self.optional(args.ident("at")?)?;
        let space = match args.ident("space")? {
            Some(name) => self.optional(Some(name))?,
            None => self.optional(
                self.fields.iter().map(|field| &field.name).find(|name| *name == "space").cloned(),
            )?,
        };
        Ok(quote!(::evertick_module::__private::spatial(&fields, #at, #space)))
    }

    /// Where an event happens.
    fn origin(&self) -> Result<TokenStream> {
        if self.kind != Kind::Event {
            return Ok(quote!(::core::option::Option::None));
        }
        let near = self.args.expr("to")?.and_then(|to| args::ident(&to)).is_some_and(|to| to == "near");
        match self.args.ident("at")? {
            Some(name) if !near => {
                Err(Error::new(name.span(), "only an event `to = near` happens somewhere"))
            }
            None if !near => Ok(quote!(::core::option::Option::None)),
            name => {
                let at = self.optional(name)?;
                Ok(quote!(::evertick_module::__private::origin(&fields, #at)))
            }
        }
    }

    fn optional(&self, name: Option<Ident>) -> Result<TokenStream> {
        match name {
            None => Ok(quote!(::core::option::Option::None)),
            Some(name) => {
                let field = self.field(&name)?;
                Ok(quote!(::core::option::Option::Some(#field)))
            }
        }
    }

    /// The indexes by field position; a table's key always has one.
    fn indexes(&self) -> Result<Vec<(u16, Index)>> {
        let key = if self.kind == Kind::Table { Some(self.field(&self.key()?)?) } else { None };
        let mut indexes = Vec::new();
        for (position, field) in (0u16..).zip(&self.fields) {
            match field.index {
                Some(_) if self.kind == Kind::Event => {
                    return Err(Error::new(field.name.span(), "an event is not stored and can't be indexed"));
                }
                Some(index) => {
                    indexes
                        .push((position, Index { unique: index.unique || key == Some(position), ..index }));
                }
                None if key == Some(position) => {
                    indexes.push((position, Index { kind: IndexKind::Hash, unique: true }));
                }
                None => {}
            }
        }
        Ok(indexes)
    }

    fn index_defs(&self) -> Result<Vec<TokenStream>> {
        let def = |(field, Index { kind, unique }): (u16, Index)| {
            let kind = kind.tokens();
            quote! {
                ::evertick_module::schema::IndexDef {
                    field: #field,
                    kind: ::evertick_module::schema::IndexKind::#kind,
                    unique: #unique,
                }
            }
        };
        Ok(self.indexes()?.into_iter().map(def).collect())
    }

    /// `Row::FIELD` for every field with an index attribute.
    fn index_constants(&self) -> TokenStream {
        let row = self.name;
        let constants = self.fields.iter().enumerate().filter_map(|(position, field)| {
            let Index { kind, unique } = field.index?;
            let (name, ty, ident) = (fields::upper(&field.name), &field.ty, &field.name);
            let kind = kind.tokens();
            let unique = if unique { quote!(Unique) } else { quote!(Many) };
            let position = u16::try_from(position).ok()?;
            let doc = format!("The index on `{}`.", field.text());
            Some(quote! {
                #[doc = #doc]
                pub const #name: ::evertick_module::Index<
                    #row,
                    #ty,
                    ::evertick_module::index::#kind,
                    ::evertick_module::index::#unique,
                > = ::evertick_module::Index::new(#position, |row| &row.#ident);
            })
        });
        let constants: Vec<_> = constants.collect();
        if constants.is_empty() {
            return TokenStream::new();
        }
        quote! {
            #[allow(dead_code, unreachable_pub)]
            impl #row {
                #(#constants)*
            }
        }
    }

    /// A constant that does not evaluate when the struct has padding.
    fn padding_check(&self) -> TokenStream {
        let (name, text) = (self.name, self.name.to_string());
        padding_check(name, &text, &self.fields)
    }
}

impl IndexKind {
    fn tokens(self) -> TokenStream {
        match self {
            Self::Hash => quote!(Hash),
            Self::Dense => quote!(Dense),
            Self::Ordered => quote!(Ordered),
        }
    }
}

/// A constant that does not evaluate when the flat struct `name` has padding. Its message names the order.
pub(crate) fn padding_check(name: &Ident, text: &str, fields: &[Field]) -> TokenStream {
    let names = fields.iter().map(Field::text);
    let types = fields.iter().map(|field| &field.ty).collect::<Vec<_>>();
    let check = quote_spanned! {name.span()=>
        const _: () = if !PADDING.is_fine() {
            ::core::panic!("{}", PADDING.message());
        };
    };
    quote! {
        const PADDING: &::evertick_module::__private::Padding = &::evertick_module::__private::Padding::of(
            #text,
            ::core::mem::size_of::<#name>(),
            &[#(::evertick_module::__private::Part {
                name: #names,
                size: ::core::mem::size_of::<#types>(),
                align: ::core::mem::align_of::<#types>(),
                row_size: <#types as ::evertick_module::schema::Field>::SIZE,
                flat: <#types as ::evertick_module::schema::Field>::FLAT,
            }),*],
        );
        #check
    }
}
