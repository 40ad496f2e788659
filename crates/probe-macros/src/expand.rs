//! The function with its measurement around its body.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Attribute, Block, Error, Expr, Result, ReturnType, Safety, Signature, Token, Visibility,
};

use crate::shape::{self, Shape};

/// A function, free or a method, with its body.
struct Function {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    body: Block,
}

impl Parse for Function {
    fn parse(input: ParseStream) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let Ok(signature) = input.parse::<Signature>() else {
            return Err(input.error("`#[measure]` goes on a function"));
        };
        if input.peek(Token![;]) {
            let text = "`#[measure]` needs a body to measure: put it on the implementation";
            return Err(Error::new(signature.span(), text));
        }
        Ok(Self {
            attributes,
            visibility,
            signature,
            body: input.parse()?,
        })
    }
}

pub(crate) fn expand(event: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if event.is_empty() {
        let text = "which event? write `#[measure(EVENT)]` with an event of `events!`";
        return Err(Error::new(Span::call_site(), text));
    }
    let event: Expr = syn::parse2(event)?;
    let function: Function = syn::parse2(item)?;
    refuse(&function.signature)?;
    let body = measured_body(&event, &function);
    let Function {
        attributes,
        visibility,
        signature,
        ..
    } = function;
    Ok(quote! { #(#attributes)* #visibility #signature { #body } })
}

/// Functions around which no guard can be put.
fn refuse(signature: &Signature) -> Result<()> {
    if let Some(word) = &signature.constness {
        return Err(Error::new(
            word.span(),
            "a `const fn` cannot be measured: it may run in the compiler",
        ));
    }
    if let Some(abi) = &signature.abi {
        let text = "an `extern` function cannot be measured: measure a Rust function that it calls";
        return Err(Error::new(abi.span(), text));
    }
    if let Safety::Unsafe(word) = &signature.safety {
        let text = "an `unsafe fn` is not measured by attribute: use `measure!` inside of it";
        return Err(Error::new(word.span(), text));
    }
    Ok(())
}

fn measured_body(event: &Expr, function: &Function) -> TokenStream {
    let (shape, is_result) = shape::of(&function.signature);
    // What does not fit the event, or the result, is reported where that is written.
    let event =
        quote_spanned! { event.span() => ::core::convert::identity::<::perf_probe::Event>(#event) };
    let wrap = if is_result {
        quote!(measured_result)
    } else {
        quote!(measured)
    };
    let body = &function.body;
    match shape {
        Shape::Sync if is_result => quote! {
            ::perf_probe::__private::call(#event, move || #body)
        },
        Shape::Sync => {
            let statements = &body.stmts;
            // A name that the body cannot see.
            let guard = Ident::new("_span", Span::mixed_site());
            quote! {
                let #guard = ::perf_probe::Span::begin(#event);
                #(#statements)*
            }
        }
        Shape::Async => {
            let hint = return_hint(&function.signature.output);
            quote! {
                ::perf_probe::#wrap(#event, async move { #hint #body }).await
            }
        }
        Shape::ReturnsFuture => quote! { ::perf_probe::#wrap(#event, #body) },
        Shape::ReturnsBox => quote! { ::std::boxed::Box::pin(::perf_probe::#wrap(#event, #body)) },
    }
}

/// A return that is never reached, and that tells the compiler the type of the async block: without it, `?` would not
/// know into which error to convert.
fn return_hint(output: &ReturnType) -> TokenStream {
    let returned = match output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, returned) => {
            let returned = shape::without_impl_trait(returned);
            quote!(#returned)
        }
    };
    let value = Ident::new("value", Span::mixed_site());
    quote! {
        #[allow(clippy::all, clippy::pedantic, clippy::nursery, unreachable_code, unused_qualifications)]
        if false {
            let #value: #returned = ::core::unreachable!();
            return #value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str, item: &str) -> String {
        let event: TokenStream = event.parse().expect("tokens");
        let item: TokenStream = item.parse().expect("tokens");
        match expand(event, item) {
            Ok(expanded) => panic!("it was accepted: {expanded}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_cannot_be_measured_says_why() {
        for (event, item, says) in [
            ("", "fn f() {}", "which event?"),
            ("E", "const fn f() {}", "`const fn`"),
            ("E", "unsafe fn f() {}", "use `measure!` inside"),
            ("E", "extern \"C\" fn f() {}", "`extern`"),
            ("E", "struct S;", "goes on a function"),
            ("E", "fn f();", "needs a body"),
            ("E F", "fn f() {}", "unexpected token"),
        ] {
            let message = message(event, item);
            assert!(
                message.contains(says),
                "#[measure({event})] {item}: {message}"
            );
        }
    }

    fn expanded(item: &str) -> String {
        let item: TokenStream = item.parse().expect("tokens");
        let expanded = expand(quote!(E), item).expect("it can be measured");
        expanded.to_string().replace(' ', "")
    }

    #[test]
    fn the_signature_and_its_attributes_stay() {
        let text = expanded(
            "#[inline] pub(crate) fn f<'a, T: Copy>(&'a self, x: T) -> &'a T where T: 'a { &self.0 }",
        );
        assert!(
            text.starts_with(
                "#[inline]pub(crate)fnf<'a,T:Copy>(&'aself,x:T)->&'aTwhereT:'a{let_span"
            ),
            "{text}"
        );
    }

    #[test]
    fn each_shape_is_measured_where_its_work_is_done() {
        for (item, with) in [
            ("fn f() {}", "::perf_probe::Span::begin("),
            ("fn f() -> u8 { 1 }", "::perf_probe::Span::begin("),
            (
                "fn f() -> std::io::Result<u8> { Ok(1) }",
                "::perf_probe::__private::call(",
            ),
            ("async fn f() {}", "::perf_probe::measured("),
            (
                "async fn f() -> Result<(), E> { Ok(()) }",
                "::perf_probe::measured_result(",
            ),
            (
                "fn f() -> impl Future<Output = u8> + Send { g() }",
                "::perf_probe::measured(",
            ),
            (
                "fn f() -> impl Send + Future<Output = Result<u8, E>> { g() }",
                "::perf_probe::measured_result(",
            ),
            (
                "fn f() -> impl Iterator<Item = u8> { g() }",
                "::perf_probe::Span::begin(",
            ),
            (
                "fn f() -> Pin<Box<dyn Future<Output = u8> + Send + 'static>> { g() }",
                "::std::boxed::Box::pin(::perf_probe::measured(",
            ),
            (
                "fn f<'a>() -> BoxFuture<'a, Result<u8, E>> { g() }",
                "::perf_probe::measured_result(",
            ),
            (
                "fn f() -> Pin<Box<Thing>> { g() }",
                "::perf_probe::Span::begin(",
            ),
        ] {
            let text = expanded(item);
            assert!(text.contains(with), "{item} became {text}");
        }
    }
}
