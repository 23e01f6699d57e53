//! Mistakes get errors that say what to do: every case has its words pinned beside it.
//! After an intended change, `TRYBUILD=overwrite cargo test -p evertick-module --test compile_fail` writes them anew.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
