//! `#[derive(Field)]`: C-like enums and nested structs.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Ident, Item, ItemEnum, ItemStruct, Result};

use crate::fields::{self, Field};
use crate::row::padding_check;

pub(crate) fn expand(item: &Item) -> Result<TokenStream> {
    match item {
        Item::Enum(item) => of_enum(item),
        Item::Struct(item) => of_struct(item),
        other => Err(Error::new_spanned(other, "only structs and C-like enums are fields")),
    }
}

/// The single word in the item's `#[repr(..)]` among `allowed`.
fn repr(attrs: &[syn::Attribute], allowed: &[&str]) -> Option<Ident> {
    let mut found = None;
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("repr")) {
        // A malformed `repr` is the compiler's to complain about.
        let _ = attr.parse_nested_meta(|meta| {
            if let Some(word) = meta.path.get_ident()
                && allowed.iter().any(|allowed| word == allowed)
            {
                found = Some(word.clone());
            }
            Ok(())
        });
    }
    found
}

fn of_enum(item: &ItemEnum) -> Result<TokenStream> {
    let name = &item.ident;
    let text = name.to_string();
    let Some(int) = repr(&item.attrs, &["u8", "u16", "u32"]) else {
        return Err(Error::new(
            name.span(),
            "add `#[repr(u8)]` (or u16, u32): the enum's bytes in rows are its discriminant's",
        ));
    };
    if let Some(variant) = item.variants.iter().find(|variant| !matches!(variant.fields, syn::Fields::Unit)) {
        return Err(Error::new_spanned(variant, "a field's enum is C-like: variants carry nothing"));
    }
    let variants: Vec<_> = item.variants.iter().map(|variant| &variant.ident).collect();
    let texts = variants.iter().map(ToString::to_string);
    Ok(quote! {
        const _: () = {
            impl ::evertick_module::schema::Field for #name {
                const SIZE: usize = ::core::mem::size_of::<#int>();
                const FLAT: bool = true;

                fn ty() -> ::evertick_module::schema::Type {
                    ::evertick_module::schema::Type::Enum(::evertick_module::schema::EnumType {
                        name: ::std::string::String::from(#text),
                        size: ::core::mem::size_of::<#int>() as u8,
                        variants: ::std::vec![#(::evertick_module::schema::EnumVariant {
                            name: ::std::string::String::from(#texts),
                            value: Self::#variants as u32,
                        }),*],
                    })
                }

                fn write(&self, row: &mut ::evertick_module::schema::RowWriter<'_>, at: usize) {
                    let value = match self {
                        #(Self::#variants => Self::#variants as #int,)*
                    };
                    ::evertick_module::schema::Field::write(&value, row, at);
                }

                fn read(
                    row: &::evertick_module::schema::RowReader<'_>,
                    at: usize,
                ) -> ::core::result::Result<Self, ::evertick_module::schema::RowError> {
                    let value = <#int as ::evertick_module::schema::Field>::read(row, at)?;
                    #(if value == Self::#variants as #int {
                        return ::core::result::Result::Ok(Self::#variants);
                    })*
                    ::core::result::Result::Err(::evertick_module::schema::RowError::Enum {
                        at,
                        name: ::std::string::String::from(#text),
                        value: u32::from(value),
                    })
                }
            }
        };
    })
}

fn of_struct(item: &ItemStruct) -> Result<TokenStream> {
    let name = &item.ident;
    let text = name.to_string();
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "a field's type can't be generic"));
    }
    if repr(&item.attrs, &["C"]).is_none() {
        return Err(Error::new(
            name.span(),
            "add `#[repr(C)]`: the struct's bytes stand in rows as they are",
        ));
    }
    let fields = fields::take(&mut item.fields.clone(), false)?;
    let padding = padding_check(name, &text, &fields);
    let size_and_flat = fields::size_and_flat(&fields);
    let defs = fields.iter().map(Field::def);
    let values: Vec<_> = fields.iter().map(|field| &field.name).map(|name| quote!(&self.#name)).collect();
    let write = fields::write(&fields, &values, &quote!(row), &quote!(at));
    let read = fields::read(&fields, &quote!(row), &quote!(at));
    Ok(quote! {
        const _: () = {
            #padding
            impl ::evertick_module::schema::Field for #name {
                #size_and_flat

                fn ty() -> ::evertick_module::schema::Type {
                    ::evertick_module::schema::Type::Struct(::evertick_module::schema::StructType {
                        name: ::std::string::String::from(#text),
                        fields: ::std::vec![#(#defs),*],
                    })
                }

                #[allow(unused_variables)]
                fn write(&self, row: &mut ::evertick_module::schema::RowWriter<'_>, at: usize) {
                    #write
                }

                #[allow(unused_variables)]
                fn read(
                    row: &::evertick_module::schema::RowReader<'_>,
                    at: usize,
                ) -> ::core::result::Result<Self, ::evertick_module::schema::RowError> {
                    ::core::result::Result::Ok(Self { #read })
                }
            }
        };
    })
}
