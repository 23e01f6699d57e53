//! `#[derive(Refusal)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, ItemEnum, LitStr, Result, Token, Variant};

use crate::fields::{self, Field};

/// `#[refusal("text", missing, duplicate)]`
struct Text {
    text: LitStr,
    missing: bool,
    duplicate: bool,
}

impl Parse for Text {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut text = Self { text: input.parse()?, missing: false, duplicate: false };
        while input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let word: Ident = input.parse()?;
            match word.to_string().as_str() {
                "missing" => text.missing = true,
                "duplicate" => text.duplicate = true,
                _ => {
                    return Err(Error::new(
                        word.span(),
                        format!(
                            "unknown argument `{word}`; after its text a refusal takes `missing` and `duplicate`"
                        ),
                    ));
                }
            }
        }
        Ok(text)
    }
}

struct Way<'a> {
    variant: &'a Variant,
    text: Text,
    fields: Vec<Field>,
}

pub(crate) fn expand(item: &ItemEnum) -> Result<TokenStream> {
    let name = &item.ident;
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "a refusal can't be generic"));
    }
    let ways = item.variants.iter().map(way).collect::<Result<Vec<_>>>()?;
    let defs = ways.iter().map(Way::def);
    let encode = (0u16..).zip(&ways).map(|(number, way)| way.encode(number));
    let decode = (0u16..).zip(&ways).map(|(number, way)| way.decode(number));
    let display = ways.iter().map(Way::display);
    let missing = conversion(name, &ways, |text| text.missing, "Missing", "MissingVariant")?;
    let duplicate = conversion(name, &ways, |text| text.duplicate, "Duplicate", "DuplicateVariant")?;
    Ok(quote! {
        const _: () = {
            impl ::evertick_module::schema::Refusal for #name {
                fn defs() -> ::std::vec::Vec<::evertick_module::schema::RefusalDef> {
                    ::std::vec![#(#defs),*]
                }

                #[allow(unused_mut, unused_variables)]
                fn encode(&self) -> ::evertick_module::schema::RefusalBytes {
                    let message = ::std::string::ToString::to_string(self);
                    let mut fields = ::std::vec::Vec::new();
                    let variant: u16 = match self { #(#encode)* };
                    ::evertick_module::schema::RefusalBytes { variant, message, fields }
                }

                #[allow(unused_variables)]
                fn decode(
                    variant: u16,
                    fields: &[u8],
                ) -> ::core::option::Option<::core::result::Result<Self, ::evertick_module::schema::RowError>> {
                    match variant {
                        #(#decode)*
                        _ => ::core::option::Option::None,
                    }
                }
            }

            impl ::core::fmt::Display for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    match self { #(#display)* }
                }
            }

            impl ::core::error::Error for #name {}
            #missing
            #duplicate
        };
    })
}

fn way(variant: &Variant) -> Result<Way<'_>> {
    let mut texts = variant.attrs.iter().filter(|attr| attr.path().is_ident("refusal"));
    let text = match (texts.next(), texts.next()) {
        (Some(attr), None) => attr.parse_args::<Text>()?,
        _ => {
            return Err(Error::new(
                variant.ident.span(),
                "say it in words, for the player: `#[refusal(\"{meters:.1} m is out of reach\")]`",
            ));
        }
    };
    let fields = fields::take(&mut variant.fields.clone(), false)?;
    if (text.missing || text.duplicate) && !fields.is_empty() {
        return Err(Error::new(
            variant.ident.span(),
            "a variant that stands for a missing or duplicate row has no fields",
        ));
    }
    Ok(Way { variant, text, fields })
}

impl Way<'_> {
    fn def(&self) -> TokenStream {
        let name = self.variant.ident.to_string();
        let defs = self.fields.iter().map(Field::def);
        quote! {
            ::evertick_module::schema::RefusalDef {
                name: ::std::string::String::from(#name),
                fields: ::std::vec![#(#defs),*],
            }
        }
    }

    fn pattern(&self) -> TokenStream {
        let name = &self.variant.ident;
        let fields = self.fields.iter().map(|field| &field.name);
        quote!(Self::#name { #(#fields),* })
    }

    fn size(&self) -> TokenStream {
        let types = self.fields.iter().map(|field| &field.ty);
        quote!(const { 0 #(+ <#types as ::evertick_module::schema::Field>::SIZE)* })
    }

    fn encode(&self, number: u16) -> TokenStream {
        let (pattern, size) = (self.pattern(), self.size());
        let values: Vec<_> = self.fields.iter().map(|field| &field.name).map(|name| quote!(#name)).collect();
        let write = fields::write(&self.fields, &values, &quote!(&mut row), &quote!(0));
        quote! {
            #pattern => {
                let mut row = ::evertick_module::schema::RowWriter::new(&mut fields, #size);
                #write
                #number
            }
        }
    }

    fn decode(&self, number: u16) -> TokenStream {
        let (name, size) = (&self.variant.ident, self.size());
        let read = fields::read(&self.fields, &quote!(&row), &quote!(0));
        quote! {
            #number => ::core::option::Option::Some((|| {
                let row = ::evertick_module::__private::row_reader(fields, #size, false)?;
                ::core::result::Result::Ok(Self::#name { #read })
            })()),
        }
    }

    fn display(&self) -> TokenStream {
        let (pattern, text) = (self.pattern(), &self.text.text);
        let names = self.fields.iter().map(|field| &field.name);
        quote! {
            #[allow(unused_variables)]
            #pattern => {
                #(let _ = #names;)*
                ::core::write!(f, #text)
            }
        }
    }
}

/// `From<error>` by the variant that `is` marked. Without one, an impl whose unmet condition says what to do:
/// the `for<'a>` keeps it from being checked before somebody writes `?`.
fn conversion(
    name: &Ident,
    ways: &[Way<'_>],
    is: impl Fn(&Text) -> bool,
    error: &str,
    condition: &str,
) -> Result<TokenStream> {
    let mut marked = ways.iter().filter(|way| is(&way.text));
    let first = marked.next();
    if let Some(second) = marked.next() {
        return Err(Error::new(
            second.variant.ident.span(),
            format!("only one variant can stand for `{error}`"),
        ));
    }
    let error = Ident::new(error, name.span());
    let condition = Ident::new(condition, name.span());
    Ok(match first {
        Some(way) => {
            let variant = &way.variant.ident;
            quote! {
                impl ::core::convert::From<::evertick_module::#error> for #name {
                    fn from(_: ::evertick_module::#error) -> Self {
                        Self::#variant
                    }
                }
            }
        }
        None => quote_spanned! {name.span()=>
            impl ::core::convert::From<::evertick_module::#error> for #name
            where
                for<'a> Self: ::evertick_module::__private::#condition<'a>,
            {
                fn from(error: ::evertick_module::#error) -> Self {
                    ::evertick_module::__private::#condition::convert(error)
                }
            }
        },
    })
}
