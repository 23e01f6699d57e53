//! What a running server counts.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::admin::ask;
use crate::outcome::{Failure, Outcome};

/// Runs `evertick metrics`: prints the numbers, or how much each has changed a second over some time.
pub(crate) fn run(data: &Path, over: Option<Duration>) -> Result<Outcome, Failure> {
    let before = numbers(data)?;
    let Some(over) = over else {
        before.iter().for_each(|(name, value)| println!("{name} {value}"));
        return Ok(Outcome::Fine);
    };
    let start = Instant::now();
    std::thread::sleep(over);
    let after = numbers(data)?;
    let seconds = start.elapsed().as_secs_f64();
    let number = |numbers: &Map<String, Value>, name: &str| numbers.get(name).and_then(Value::as_f64);
    for name in after.keys() {
        if let (Some(before), Some(after)) = (number(&before, name), number(&after, name)) {
            println!("{name} {:.1}/s", (after - before) / seconds);
        }
    }
    Ok(Outcome::Fine)
}

fn numbers(data: &Path) -> Result<Map<String, Value>, Failure> {
    match ask(data, &json!({ "do": "metrics" }))?["metrics"].take() {
        Value::Object(numbers) => Ok(numbers),
        _ => {
            Err(Failure::new("the server did not answer with numbers; is it of another version?".to_owned()))
        }
    }
}
