//! What kind of function it is, as far as its text tells: that decides when its span ends and as what.

use syn::visit_mut::VisitMut;
use syn::{
    AssocType, GenericArgument, PathArguments, PathSegment, ReturnType, Signature, Type,
    TypeParamBound,
};

/// How the function's work is done.
pub(crate) enum Shape {
    /// When it is called.
    Sync,
    /// `async fn`: when its future is polled.
    Async,
    /// It returns `impl Future`: when that is polled.
    ReturnsFuture,
    /// It returns a boxed future, as `async_trait` has it: when that is polled.
    ReturnsBox,
}

/// A function's shape, and whether what it comes to is a `Result`.
pub(crate) fn of(signature: &Signature) -> (Shape, bool) {
    let ReturnType::Type(_, returned) = &signature.output else {
        return (
            if signature.asyncness.is_some() {
                Shape::Async
            } else {
                Shape::Sync
            },
            false,
        );
    };
    if signature.asyncness.is_some() {
        return (Shape::Async, is_result(returned));
    }
    if let Type::ImplTrait(promised) = returned.as_ref()
        && let Some(output) = output_of_future(promised.bounds.iter())
    {
        return (Shape::ReturnsFuture, output.is_some_and(is_result));
    }
    match output_of_box(returned) {
        Some(output) => (Shape::ReturnsBox, output.is_some_and(is_result)),
        None => (Shape::Sync, is_result(returned)),
    }
}

fn last_segment(returned: &Type) -> Option<&PathSegment> {
    match returned {
        Type::Path(path) => path.path.segments.last(),
        Type::Paren(inner) => last_segment(&inner.elem),
        Type::Group(inner) => last_segment(&inner.elem),
        _ => None,
    }
}

/// Whether the last segment of the path is `Result`: `io::Result<()>` is one too.
fn is_result(returned: &Type) -> bool {
    last_segment(returned).is_some_and(|segment| segment.ident == "Result")
}

/// The `Output` of the first bound that is a `Future`; `Some(None)` if it names none.
fn output_of_future<'a>(
    bounds: impl Iterator<Item = &'a TypeParamBound>,
) -> Option<Option<&'a Type>> {
    let future = bounds.filter_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last(),
        _ => None,
    });
    let future = future.filter(|segment| segment.ident == "Future").last()?;
    Some(arguments(future).find_map(|argument| match argument {
        GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Output" => Some(ty),
        _ => None,
    }))
}

/// The output of `Pin<Box<dyn Future<Output = …>>>` or `BoxFuture<'_, …>`.
fn output_of_box(returned: &Type) -> Option<Option<&Type>> {
    let segment = last_segment(returned)?;
    if segment.ident == "BoxFuture" || segment.ident == "LocalBoxFuture" {
        return Some(types(segment).last());
    }
    if segment.ident != "Pin" {
        return None;
    }
    let boxed = types(segment)
        .find_map(last_segment)
        .filter(|segment| segment.ident == "Box")?;
    let Type::TraitObject(object) = types(boxed).next()? else {
        return None;
    };
    output_of_future(object.bounds.iter())
}

fn arguments(segment: &PathSegment) -> impl Iterator<Item = &GenericArgument> {
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter()),
        _ => None,
    }
    .into_iter()
    .flatten()
}

fn types(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    arguments(segment).filter_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

/// `returned` as the type of a variable: each `impl Trait` in it becomes `_`.
pub(crate) fn without_impl_trait(returned: &Type) -> Type {
    struct Erase;
    impl VisitMut for Erase {
        fn visit_type_mut(&mut self, part: &mut Type) {
            if matches!(part, Type::ImplTrait(_)) {
                *part = syn::parse_quote!(_);
            } else {
                syn::visit_mut::visit_type_mut(self, part);
            }
        }
    }
    let mut erased = returned.clone();
    Erase.visit_type_mut(&mut erased);
    erased
}
