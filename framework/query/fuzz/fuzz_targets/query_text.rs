//! A query's text, as a client sends it: a query or a refusal in few words. What is a query can be explained.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

thread_local! {
    static MARKET: common::Market = common::Market::new();
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    MARKET.with(|market| match market.compile(text) {
        Ok(compiled) => assert!(!compiled.query.explain(&market.catalog, 8.0).is_empty()),
        Err(error) => assert!(error.to_string().len() < 1500, "{error}"),
    });
});
