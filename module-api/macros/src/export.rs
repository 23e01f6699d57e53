//! `export_module!`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Ident, LitStr, Path, Result, Token};

use crate::plugin::paths;

/// `name: "..", plugins: [..]`
pub(crate) struct Export {
    name: LitStr,
    plugins: Vec<Path>,
}

impl Parse for Export {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (mut name, mut plugins) = (None, None);
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            match key.to_string().as_str() {
                "name" if name.is_none() => name = Some(input.parse::<LitStr>()?),
                "plugins" if plugins.is_none() => plugins = Some(paths(input)?),
                _ => {
                    return Err(Error::new(key.span(), "a module has one `name` and one list of `plugins`"));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let missing = |what| {
            input.error(format!("the module's {what} is missing: `name: \"game\", plugins: [file::PLUGIN]`"))
        };
        let name = name.ok_or_else(|| missing("name"))?;
        let text = name.value();
        let plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_');
        if !plain {
            return Err(Error::new(name.span(), "a module's name is an identifier: its rows are `name.Row`"));
        }
        Ok(Self { name, plugins: plugins.ok_or_else(|| missing("list of plugins"))? })
    }
}

pub(crate) fn expand(export: &Export) -> TokenStream {
    let Export { name, plugins } = export;
    quote! {
        /// The module, for tests, clients and code generators.
        pub fn module() -> ::evertick_module::Module {
            ::evertick_module::Module::new(#name, const { &[#(#plugins),*] })
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use ::evertick_module::__private::wasm;

            #[unsafe(no_mangle)]
            extern "C" fn evertick_abi() -> u32 {
                ::evertick_module::schema::ABI_VERSION
            }

            #[unsafe(no_mangle)]
            extern "C" fn evertick_describe() -> u64 {
                wasm::describe(module)
            }

            #[unsafe(no_mangle)]
            extern "C" fn evertick_alloc(len: u32) -> u32 {
                wasm::alloc(len)
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn evertick_call(reducer: u32, ptr: u32, len: u32) -> u64 {
                // SAFETY: the host calls this with the `len` bytes at `ptr` that it has written.
                unsafe { wasm::call(module, reducer, ptr, len) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn evertick_run(system: u32, view: u32) -> u64 {
                // SAFETY: the host calls this with the address of a view that it has written.
                unsafe { wasm::run(module, system, view) }
            }

            #[unsafe(no_mangle)]
            unsafe extern "C" fn evertick_predict(
                prediction: u32,
                row: u32,
                row_len: u32,
                args: u32,
                args_len: u32,
                seconds: f32,
            ) {
                // SAFETY: whoever predicts calls this with a row and arguments that it has written, side by side.
                unsafe { wasm::predict(module, prediction, (row, row_len), (args, args_len), seconds) }
            }
        };
    }
}
