//! Guests in text form, for modules that no compiler would make.

/// A guest with this ABI version, this description, and these instructions for `evertick_call`.
///
/// # Panics
///
/// When the instructions make no sense.
pub fn text_guest(abi: u32, description: &str, call: &str) -> Vec<u8> {
    let escaped: String = description.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let len = description.len();
    let text = format!(
        r#"(module
            (memory (export "memory") 2)
            (data (i32.const 64) "{escaped}")
            (func (export "evertick_abi") (result i32) i32.const {abi})
            (func (export "evertick_describe") (result i64) i64.const {packed})
            (func (export "evertick_alloc") (param i32) (result i32) i32.const 65536)
            (func (export "evertick_call") (param i32 i32 i32) (result i64) {call})
            (func (export "evertick_run") (param i32 i32) (result i64) i64.const 0))"#,
        packed = 64u64 << 32 | len as u64,
    );
    wat::parse_str(text).expect("the text is that of a module")
}
