//! The `#[measure]` attribute of perf-probe. Use it from there: `perf_probe::attribute::measure`.

#![forbid(unsafe_code)]

mod expand;
mod shape;

use proc_macro::TokenStream;

/// Measures each call of a function as a span of the event: `#[measure(EVENT)]`.
///
/// See `perf_probe::attribute`, where it is documented with its examples.
#[proc_macro_attribute]
pub fn measure(event: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(event.into(), item.into())
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}
