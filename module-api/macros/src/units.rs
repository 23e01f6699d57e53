//! Times and rates written as text: `"50ms"`, `"1s"`, `"5/s"`, `"10/2min"`.

use syn::{Error, LitStr, Result};

const UNITS: [(&str, i64); 5] =
    [("us", 1), ("ms", 1_000), ("s", 1_000_000), ("min", 60_000_000), ("h", 3_600_000_000)];

/// Microseconds of a time such as `"50ms"`.
pub(crate) fn time_us(text: &LitStr) -> Result<i64> {
    let value = text.value();
    let digits = value.find(|char: char| !char.is_ascii_digit()).unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    match (number.parse::<i64>(), unit_us(unit)) {
        (Ok(number), Some(unit)) if number > 0 => {
            number.checked_mul(unit).ok_or_else(|| Error::new(text.span(), "that is too long"))
        }
        _ => Err(Error::new(
            text.span(),
            format!(
                "`{value}` is not a time: write a whole number above 0 and us, ms, s, min or h, as in \"50ms\""
            ),
        )),
    }
}

/// Calls and microseconds of a rate such as `"5/s"`.
pub(crate) fn rate(text: &LitStr) -> Result<(u32, i64)> {
    let value = text.value();
    let wrong = || {
        Error::new(
            text.span(),
            format!("`{value}` is not a rate: write calls per time, as in \"5/s\" or \"10/2min\""),
        )
    };
    let (calls, per) = value.split_once('/').ok_or_else(wrong)?;
    let calls = calls.parse::<u32>().ok().filter(|calls| *calls > 0).ok_or_else(wrong)?;
    let per = match unit_us(per) {
        Some(unit) => unit,
        None => time_us(&LitStr::new(per, text.span())).map_err(|_| wrong())?,
    };
    Ok((calls, per))
}

fn unit_us(unit: &str) -> Option<i64> {
    UNITS.iter().find(|(name, _)| *name == unit).map(|(_, us)| *us)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proc_macro2::Span;

    use super::*;

    fn text(text: &str) -> LitStr {
        LitStr::new(text, Span::call_site())
    }

    #[test]
    fn times() {
        assert_eq!(time_us(&text("50ms")).unwrap(), 50_000);
        assert_eq!(time_us(&text("1s")).unwrap(), 1_000_000);
        assert_eq!(time_us(&text("2h")).unwrap(), 7_200_000_000);
        for wrong in ["", "s", "1", "0s", "-1s", "1.5s", "1 s", "1fortnight", "9999999999999999999s"] {
            assert!(time_us(&text(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(rate(&text("5/s")).unwrap(), (5, 1_000_000));
        assert_eq!(rate(&text("10/2min")).unwrap(), (10, 120_000_000));
        for wrong in ["5", "5/", "/s", "0/s", "5/x", "5/0s", "a/s"] {
            assert!(rate(&text(wrong)).is_err(), "{wrong}");
        }
    }
}
