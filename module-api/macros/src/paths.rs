//! Types as they stand in a user's signature, made to mean the same inside a generated module.

use syn::{GenericArgument, Lifetime, PathArguments, Type, parse_quote};

/// System parameters that borrow from the run; users write them without the lifetime.
const BORROWING: [&str; 6] = ["Query", "Table", "Res", "ResMut", "Commands", "Near"];

/// Calls `change` on `ty` and on every type within.
fn walk(ty: &mut Type, change: &mut dyn FnMut(&mut Type)) {
    change(ty);
    match ty {
        Type::Reference(inner) => walk(&mut inner.elem, change),
        Type::Array(inner) => walk(&mut inner.elem, change),
        Type::Slice(inner) => walk(&mut inner.elem, change),
        Type::Group(inner) => walk(&mut inner.elem, change),
        Type::Paren(inner) => walk(&mut inner.elem, change),
        Type::Tuple(tuple) => tuple.elems.iter_mut().for_each(|elem| walk(elem, change)),
        Type::Path(path) => {
            for segment in &mut path.path.segments {
                let PathArguments::AngleBracketed(args) = &mut segment.arguments else { continue };
                for arg in &mut args.args {
                    if let GenericArgument::Type(ty) = arg {
                        walk(ty, change);
                    }
                }
            }
        }
        _ => {}
    }
}

/// The same type, seen from a child module: `self::X` is `super::X` there.
pub(crate) fn from_child(mut ty: Type) -> Type {
    walk(&mut ty, &mut |ty| {
        let Type::Path(path) = ty else { return };
        if path.path.leading_colon.is_some() {
            return;
        }
        let Some(first) = path.path.segments.first_mut() else { return };
        if first.ident == "self" {
            first.ident = syn::Ident::new("super", first.ident.span());
        } else if first.ident == "super" {
            let parent = first.clone();
            path.path.segments.insert(0, parent);
        }
    });
    ty
}

/// The type with `lifetime` wherever a system's author left it out.
pub(crate) fn with_lifetime(mut ty: Type, lifetime: &Lifetime) -> Type {
    walk(&mut ty, &mut |ty| match ty {
        Type::Reference(reference) if elided(reference.lifetime.as_ref()) => {
            reference.lifetime = Some(lifetime.clone());
        }
        Type::Path(_) => insert_lifetime(ty, lifetime),
        _ => {}
    });
    ty
}

/// The type with `'_` in the system parameters that borrow, so that `elided_lifetimes_in_paths` is content.
pub(crate) fn with_anonymous_lifetime(mut ty: Type) -> Type {
    let anonymous = parse_quote!('_);
    walk(&mut ty, &mut |ty| insert_lifetime(ty, &anonymous));
    ty
}

/// A lifetime that `ty` spells out.
pub(crate) fn named_lifetime(ty: &Type) -> Option<Lifetime> {
    let mut named = None;
    let mut note = |lifetime: Option<&Lifetime>| {
        if let Some(lifetime) = lifetime.filter(|lifetime| lifetime.ident != "_") {
            named = Some(lifetime.clone());
        }
    };
    walk(&mut ty.clone(), &mut |ty| match ty {
        Type::Reference(reference) => note(reference.lifetime.as_ref()),
        Type::Path(path) => {
            for segment in &path.path.segments {
                let PathArguments::AngleBracketed(args) = &segment.arguments else { continue };
                for arg in &args.args {
                    if let GenericArgument::Lifetime(lifetime) = arg {
                        note(Some(lifetime));
                    }
                }
            }
        }
        _ => {}
    });
    named
}

fn elided(lifetime: Option<&Lifetime>) -> bool {
    lifetime.is_none_or(|lifetime| lifetime.ident == "_")
}

fn insert_lifetime(ty: &mut Type, lifetime: &Lifetime) {
    let Type::Path(path) = ty else { return };
    let Some(last) = path.path.segments.last_mut() else { return };
    match &mut last.arguments {
        PathArguments::AngleBracketed(args) => {
            if let Some(GenericArgument::Lifetime(first)) = args.args.first_mut() {
                if first.ident == "_" {
                    *first = lifetime.clone();
                }
            } else if BORROWING.iter().any(|name| last.ident == name) {
                args.args.insert(0, GenericArgument::Lifetime(lifetime.clone()));
            }
        }
        PathArguments::None if BORROWING.iter().any(|name| last.ident == name) => {
            last.arguments = PathArguments::AngleBracketed(parse_quote!(<#lifetime>));
        }
        PathArguments::None | PathArguments::Parenthesized(_) => {}
    }
}
