//! `#[reducer]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Expr, GenericArgument, ItemFn, Lit, PathArguments, Result, ReturnType, Type};

use crate::args::{self, Args};
use crate::fields::{self, Field};
use crate::{function, units};

const RETURN: &str = "a reducer returns `Result<Output, Refusal>`: `Result<(), MyRefusal>` with \
                      `#[derive(Refusal)]` on the enum, or `Result<(), NoRefusal>` when it never refuses";

pub(crate) fn expand(args: &Args, mut item: ItemFn) -> Result<TokenStream> {
    function::check("a reducer", &item)?;
    let attributes = attributes(args)?;
    let name = item.sig.ident.clone();
    let params = params(&item, &attributes)?;
    let (output, refusal) = result(&item.sig.output)?;
    if attributes.kind == "Input" && !matches!(&output, Type::Tuple(tuple) if tuple.elems.is_empty()) {
        return Err(Error::new_spanned(
            output,
            "an input returns nothing, as nobody waits for it: `Result<(), ..>`",
        ));
    }
    let (output, refusal) = (function::inside(&output), function::inside(&refusal));
    let module = Reducer { name: name.to_string(), attributes, params, output, refusal }.module();
    let docs = function::docs(&item.attrs, &format!("The reducer `{name}`."));
    let module = function::module(&name, &docs, &module);
    function::allow(&mut item);
    Ok(quote!(#item #module))
}

struct Attributes {
    kind: &'static str,
    private: bool,
    role: Option<String>,
    rate: Option<(u32, i64)>,
}

const KINDS: [(&str, &str); 4] =
    [("init", "Init"), ("connect", "Connect"), ("disconnect", "Disconnect"), ("upgrade", "Upgrade")];

fn attributes(args: &Args) -> Result<Attributes> {
    args.only(
        "`#[reducer]`",
        &["input", "init", "connect", "disconnect", "upgrade", "private", "role", "rate"],
    )?;
    let mut kind = "Call";
    if args.flag("input")? {
        if let Some(arg) = args.iter().find(|arg| arg.name != "input" && arg.name != "role") {
            return Err(Error::new(
                arg.name.span(),
                format!(
                    "an input is sent by clients and runs at most once a tick for each session: leave `{}` out",
                    arg.name
                ),
            ));
        }
        kind = "Input";
    }
    for (name, variant) in KINDS {
        if args.flag(name)? {
            if kind != "Call" || args.iter().count() > 1 {
                let message =
                    format!("a reducer that runs on `{name}` is called by nobody: leave the rest out");
                return Err(Error::new(
                    args.iter().next().map_or(proc_macro2::Span::call_site(), |arg| arg.name.span()),
                    message,
                ));
            }
            kind = variant;
        }
    }
    let role = match args.expr("role")? {
        None => None,
        Some(Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. })) => Some(text.value()),
        Some(other) => match args::ident(&other) {
            Some(ident) => Some(ident.to_string()),
            None => return Err(Error::new_spanned(other, "a role is a name: `role = Admin`")),
        },
    };
    let rate = args.string("rate")?.map(|text| units::rate(&text)).transpose()?;
    Ok(Attributes { kind, private: args.flag("private")?, role, rate })
}

/// The arguments behind `ctx: &mut Ctx`.
fn params(item: &ItemFn, attributes: &Attributes) -> Result<Vec<Field>> {
    let mut params = function::params(item);
    let context = match params.next() {
        Some(param) => matches!(param?.1, Type::Reference(reference) if reference.mutability.is_some()),
        None => false,
    };
    if !context {
        return Err(Error::new_spanned(&item.sig, "a reducer's first parameter is `ctx: &mut Ctx`"));
    }
    let mut fields = Vec::new();
    for param in params {
        let (name, ty) = param?;
        if !matches!(attributes.kind, "Call" | "Input") {
            return Err(Error::new(
                name.span(),
                "nobody calls this reducer, so it has no arguments but `ctx`",
            ));
        }
        if let Type::Reference(reference) = ty {
            return Err(Error::new_spanned(
                reference,
                "arguments are values: take `String` for text, `Vec<T>` for lists",
            ));
        }
        fields.push(Field::plain(name, function::inside(ty)));
    }
    Ok(fields)
}

/// `Output` and `Refusal` of `Result<Output, Refusal>`.
fn result(output: &ReturnType) -> Result<(Type, Type)> {
    let ReturnType::Type(_, ty) = output else {
        return Err(Error::new(proc_macro2::Span::call_site(), RETURN));
    };
    let wrong = || Error::new_spanned(ty, RETURN);
    let Type::Path(path) = &**ty else { return Err(wrong()) };
    let last = path.path.segments.last().filter(|last| last.ident == "Result").ok_or_else(wrong)?;
    let PathArguments::AngleBracketed(args) = &last.arguments else { return Err(wrong()) };
    let mut types = args.args.iter();
    match (types.next(), types.next(), types.next()) {
        (Some(GenericArgument::Type(output)), Some(GenericArgument::Type(refusal)), None) => {
            Ok((output.clone(), refusal.clone()))
        }
        _ => Err(wrong()),
    }
}

struct Reducer {
    name: String,
    attributes: Attributes,
    params: Vec<Field>,
    output: Type,
    refusal: Type,
}

impl Reducer {
    fn module(&self) -> TokenStream {
        let call = self.call();
        let entry = self.entry();
        let invoke = self.invoke();
        quote!(#call #entry #invoke)
    }

    /// The typed call: a struct with the arguments, and `call(..)` that makes one.
    fn call(&self) -> TokenStream {
        let Self { name, output, refusal, .. } = self;
        let names: Vec<_> = self.params.iter().map(|param| &param.name).collect();
        let types: Vec<_> = self.params.iter().map(|param| &param.ty).collect();
        let values: Vec<_> = names.iter().map(|name| quote!(&self.#name)).collect();
        let write = fields::write(&self.params, &values, &quote!(&mut row), &quote!(0));
        let doc = format!("A call of `{name}`, to schedule, queue, send or test.");
        quote! {
            #[doc = #doc]
            #[derive(Clone, Debug, PartialEq)]
            #[allow(missing_docs)]
            pub struct Call { #(pub #names: #types),* }

            #[doc = #doc]
            pub fn call(#(#names: #types),*) -> Call {
                Call { #(#names),* }
            }

            impl ::evertick_module::schema::Call for Call {
                const NAME: &'static str = #name;
                type Output = #output;
                type Refusal = #refusal;

                #[allow(unused_mut, unused_variables)]
                fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                    let size = const { 0 #(+ <#types as ::evertick_module::schema::Field>::SIZE)* };
                    let mut row = ::evertick_module::schema::RowWriter::new(out, size);
                    #write
                }
            }

            impl ::evertick_module::__private::ModuleCall for Call {
                fn slot() -> &'static ::evertick_module::__private::Slot {
                    static SLOT: ::evertick_module::__private::Slot =
                        ::evertick_module::__private::Slot::new();
                    &SLOT
                }
            }
        }
    }

    fn entry(&self) -> TokenStream {
        let Self { name, output, refusal, .. } = self;
        let Attributes { kind, private, role, rate } = &self.attributes;
        let kind = format_ident!("{kind}");
        let role = option(role.as_ref().map(|role| quote!(::std::string::String::from(#role))));
        let rate = option(rate.map(
            |(calls, per_us)| quote!(::evertick_module::schema::RateDef { calls: #calls, per_us: #per_us }),
        ));
        let params = self.params.iter().map(Field::def);
        let flat = self.params.iter().filter(|_| self.attributes.kind == "Input").map(|param| {
            let ty = &param.ty;
            quote_spanned! { ty.span() =>
                const _: () = ::core::assert!(
                    <#ty as ::evertick_module::schema::Field>::FLAT,
                    "an input's arguments have a fixed size: texts, lists and options go by a call",
                );
            }
        });
        quote! {
            #(#flat)*

            #[doc(hidden)]
            pub const fn __entry(
                run: ::evertick_module::__private::RunReducer,
            ) -> ::evertick_module::__private::ReducerEntry {
                fn describe() -> ::evertick_module::schema::ReducerDef {
                    ::evertick_module::schema::ReducerDef {
                        name: ::std::string::String::from(#name),
                        kind: ::evertick_module::schema::ReducerKind::#kind,
                        private: #private,
                        role: #role,
                        rate: #rate,
                        params: ::std::vec![#(#params),*],
                        returns: ::evertick_module::__private::returns::<#output>(),
                        refusals: <#refusal as ::evertick_module::schema::Refusal>::defs(),
                    }
                }
                ::evertick_module::__private::ReducerEntry {
                    describe,
                    run,
                    slot: <Call as ::evertick_module::__private::ModuleCall>::slot,
                }
            }
        }
    }

    /// Reads the arguments; and reads them straight from the input, runs `reducer`, and encodes how it ended.
    fn invoke(&self) -> TokenStream {
        let Self { output, refusal, .. } = self;
        let types: Vec<_> = self.params.iter().map(|param| &param.ty).collect();
        let names: Vec<_> = self.params.iter().map(|param| &param.name).collect();
        let read = fields::read(&self.params, &quote!(&row), &quote!(0));
        quote! {
            #[doc(hidden)]
            #[inline(always)]
            pub fn __decode(
                args: &[u8],
            ) -> ::core::result::Result<Call, ::evertick_module::schema::RowError> {
                let size = const { 0 #(+ <#types as ::evertick_module::schema::Field>::SIZE)* };
                #[allow(unused_variables)]
                let row = ::evertick_module::__private::row_reader(args, size, false)?;
                ::core::result::Result::Ok(Call { #read })
            }

            #[doc(hidden)]
            #[inline(always)]
            pub fn __invoke<F>(
                ctx: &mut ::evertick_module::Ctx,
                args: &[u8],
                out: &mut ::std::vec::Vec<u8>,
                reducer: F,
            ) -> ::core::result::Result<(), ::evertick_module::schema::RowError>
            where
                F: ::core::ops::FnOnce(
                    &mut ::evertick_module::Ctx,
                    #(#types),*
                ) -> ::core::result::Result<#output, #refusal>,
            {
                let Call { #(#names),* } = __decode(args)?;
                ::evertick_module::__private::finish(reducer(ctx, #(#names),*), out);
                ::core::result::Result::Ok(())
            }
        }
    }
}

fn option(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}
