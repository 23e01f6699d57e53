//! A movement function is written once: what the module's export makes of a row in WebAssembly, as browsers run it, is what the
//! function makes of it natively, bit by bit.

use evertick_module::native::Instance;
use evertick_schema::{Call, Row};
use evertick_tests::dice::Dice;
use gather_module::steering::{Glider, glide, steer};
use glam::Vec3;
use wasmtime::{Engine, Linker, Memory, Module, Store, TypedFunc};

/// The number of `glide` among the module's predictions.
const GLIDE: u32 = 0;

type Predict = TypedFunc<(u32, u32, u32, u32, u32, f32), ()>;

/// A module as clients run it: with memory and predictions, and with nothing behind its imports.
struct Guest {
    store: Store<()>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    predict: Predict,
}

impl Guest {
    fn new(wasm: &[u8]) -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, wasm).unwrap();
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&module).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let alloc = instance.get_typed_func(&mut store, "evertick_alloc").unwrap();
        let predict = instance.get_typed_func(&mut store, "evertick_predict").unwrap();
        Self { store, memory, alloc, predict }
    }

    fn put(&mut self, bytes: &[u8]) -> u32 {
        let at = self.alloc.call(&mut self.store, bytes.len() as u32).unwrap();
        self.memory.write(&mut self.store, at as usize, bytes).unwrap();
        at
    }

    /// What becomes of `row`; an error is a trap.
    fn predict(&mut self, number: u32, row: &[u8], args: &[u8], seconds: f32) -> wasmtime::Result<Vec<u8>> {
        let (row_at, args_at) = (self.put(row), self.put(args));
        let lens = (row.len() as u32, args.len() as u32);
        self.predict.call(&mut self.store, (number, row_at, lens.0, args_at, lens.1, seconds))?;
        let mut changed = vec![0; row.len()];
        self.memory.read(&self.store, row_at as usize, &mut changed)?;
        Ok(changed)
    }
}

fn bytes(value: &impl Row) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}

fn arguments(call: &impl Call) -> Vec<u8> {
    let mut bytes = Vec::new();
    call.encode(&mut bytes);
    bytes
}

/// The row's bits. WebAssembly and Rust leave open which NaN an operation gives, so all NaN are one here.
fn bits(row: &[u8]) -> Vec<u32> {
    let words = row.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    let nan = |word: u32| f32::from_bits(word).is_nan();
    words.map(|word| if nan(word) { f32::NAN.to_bits() } else { word }).collect()
}

/// Numbers as games have them, and those that they should not.
fn number(dice: &mut Dice) -> f32 {
    const ODD: [f32; 14] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        1.0e-45,
        -1.0e-40,
        16_777_217.0,
        1.0e19,
    ];
    match dice.below(4) {
        0 => ODD[dice.below(ODD.len() as u64) as usize],
        1 => f32::from_bits(dice.below(1 << 32) as u32),
        _ => (dice.below(2_000_001) as f32 - 1_000_000.0) / 8192.0,
    }
}

fn vector(dice: &mut Dice) -> Vec3 {
    Vec3::new(number(dice), number(dice), number(dice))
}

#[test]
fn a_prediction_in_wasm_is_the_native_function_bit_by_bit() {
    let mut guest = Guest::new(&evertick_test_guests::wasm("gather-module"));
    let native = Instance::new(&gather_module::module()).unwrap();
    assert_eq!(native.description().predictions[GLIDE as usize].name, "glide");
    let mut dice = Dice::new(5);
    let mut strange = 0;
    for _ in 0..20_000 {
        let (at, velocity) = (vector(&mut dice), vector(&mut dice));
        let before = Glider { at, velocity, heading: number(&mut dice), inputs: dice.below(1 << 32) as u32 };
        let (toward, turn, dive) = (vector(&mut dice), number(&mut dice), dice.below(2) == 1);
        let seconds = if dice.below(2) == 0 { 0.05 } else { number(&mut dice) };
        let (row, args) = (bytes(&before), arguments(&steer::call(toward, turn, dive)));

        let in_wasm = guest.predict(GLIDE, &row, &args, seconds).unwrap();
        let mut by_instance = row.clone();
        native.predict(GLIDE, &mut by_instance, &args, seconds);
        let mut by_hand = before.clone();
        glide(&mut by_hand, toward, turn, dive, seconds);
        let expected = bits(&bytes(&by_hand));
        assert_eq!(bits(&in_wasm), expected, "{before:?}, {toward}, {turn}, {dive}, {seconds} s");
        assert_eq!(bits(&by_instance), expected);
        strange += u32::from(expected.contains(&f32::NAN.to_bits()));
    }
    assert!((1000..19_000).contains(&strange), "both kinds of results are seen: {strange}");
}

#[test]
fn what_is_no_prediction_traps() {
    let wasm = evertick_test_guests::wasm("gather-module");
    let row = bytes(&Glider { at: Vec3::ONE, velocity: Vec3::X, heading: 1.0, inputs: 3 });
    let args = arguments(&steer::call(Vec3::X, 0.5, true));
    let no_bool = [&args[..args.len() - 1], &[2]].concat();
    for (number, row, args) in [
        (1, &row[..], &args[..]),
        (GLIDE, &row[1..], &args[..]),
        (GLIDE, &row[..], &args[1..]),
        (GLIDE, &row[..], &no_bool[..]),
    ] {
        Guest::new(&wasm).predict(number, row, args, 0.05).unwrap_err();
    }
    Guest::new(&wasm).predict(GLIDE, &row, &args, 0.05).unwrap();
}
