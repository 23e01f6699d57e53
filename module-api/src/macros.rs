//! Small macros for a module's code.

/// Returns `Err(refusal)` from the reducer unless the condition holds.
///
/// ```
/// # use evertick_module::ensure;
/// fn half(number: u32) -> Result<u32, String> {
///     ensure!(number % 2 == 0, format!("{number} is odd"));
///     Ok(number / 2)
/// }
/// assert_eq!(half(4), Ok(2));
/// assert!(half(3).is_err());
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $refusal:expr $(,)?) => {
        if !$condition {
            return ::core::result::Result::Err(::core::convert::Into::into($refusal));
        }
    };
}

/// Writes an error to the server's log, as `format!` does.
#[macro_export]
macro_rules! error {
    ($($text:tt)+) => { $crate::__private::log($crate::__private::Level::Error, ::core::format_args!($($text)+)) };
}

/// Writes a warning to the server's log, as `format!` does.
#[macro_export]
macro_rules! warn {
    ($($text:tt)+) => { $crate::__private::log($crate::__private::Level::Warn, ::core::format_args!($($text)+)) };
}

/// Writes a line to the server's log, as `format!` does.
#[macro_export]
macro_rules! info {
    ($($text:tt)+) => { $crate::__private::log($crate::__private::Level::Info, ::core::format_args!($($text)+)) };
}

/// Writes a line for developers to the server's log, as `format!` does.
#[macro_export]
macro_rules! debug {
    ($($text:tt)+) => { $crate::__private::log($crate::__private::Level::Debug, ::core::format_args!($($text)+)) };
}

/// Writes a line about a small step to the server's log, as `format!` does.
#[macro_export]
macro_rules! trace {
    ($($text:tt)+) => { $crate::__private::log($crate::__private::Level::Trace, ::core::format_args!($($text)+)) };
}
