//! TypeScript's words for the schema's types.

use evertick_schema::{EnumType, FieldDef, StructType, Type};

use crate::CodegenError;
use crate::names::Names;

/// Enums and structs that rows and calls mention, with the names they were given.
#[derive(Default)]
pub(crate) struct Declared {
    enums: Vec<(EnumType, String)>,
    structs: Vec<(StructType, String)>,
}

impl Declared {
    /// Names every enum and struct within `fields`.
    pub(crate) fn collect(&mut self, names: &mut Names, fields: &[FieldDef]) {
        for field in fields {
            self.collect_type(names, &field.ty);
        }
    }

    pub(crate) fn collect_type(&mut self, names: &mut Names, ty: &Type) {
        match ty {
            Type::Enum(of) if !self.enums.iter().any(|(known, _)| known == of) => {
                self.enums.push((of.clone(), names.take(&of.name)));
            }
            Type::Struct(of) => {
                self.collect(names, &of.fields);
                if !self.structs.iter().any(|(known, _)| known == of) {
                    self.structs.push((of.clone(), names.take(&of.name)));
                }
            }
            Type::Array(of, _) | Type::List(of) | Type::Option(of) => self.collect_type(names, of),
            _ => {}
        }
    }

    /// The declarations of all of them.
    pub(crate) fn declare(&self, out: &mut String) -> Result<(), CodegenError> {
        for (of, name) in &self.enums {
            *out += &format!("\nexport const {name} = {{\n");
            for variant in &of.variants {
                *out += &format!("  {}: {},\n", variant.name, variant.value);
            }
            *out += &format!("}} as const;\nexport type {name} = (typeof {name})[keyof typeof {name}];\n");
        }
        for (of, name) in &self.structs {
            *out += &format!("\nexport interface {name} {{\n");
            self.fields(out, name, &of.fields)?;
            *out += "}\n";
        }
        Ok(())
    }

    /// One line for each field, indented by two.
    pub(crate) fn fields(
        &self,
        out: &mut String,
        place: &str,
        fields: &[FieldDef],
    ) -> Result<(), CodegenError> {
        for field in fields {
            let place = format!("{place}.{}", field.name);
            *out += &format!("  {}: {};\n", field.name, self.expression(&place, &field.ty)?);
        }
        Ok(())
    }

    /// The fields as an object type on one line.
    pub(crate) fn inline(&self, place: &str, fields: &[FieldDef]) -> Result<String, CodegenError> {
        let fields: Result<Vec<_>, _> = fields
            .iter()
            .map(|field| {
                let place = format!("{place}.{}", field.name);
                Ok(format!("{}: {}", field.name, self.expression(&place, &field.ty)?))
            })
            .collect();
        Ok(format!("{{ {} }}", fields?.join("; ")))
    }

    /// The type of values of `ty`.
    pub(crate) fn expression(&self, place: &str, ty: &Type) -> Result<String, CodegenError> {
        Ok(match ty {
            Type::Bool => "boolean".into(),
            Type::U8 | Type::I8 | Type::U16 | Type::I16 | Type::U32 | Type::I32 | Type::F32 | Type::F64 => {
                "number".into()
            }
            Type::U64 | Type::I64 => "bigint".into(),
            Type::Vec2 | Type::IVec2 | Type::UVec2 => "ev.Vec2".into(),
            Type::Vec3 | Type::IVec3 | Type::UVec3 => "ev.Vec3".into(),
            Type::Vec4 | Type::Quat | Type::IVec4 | Type::UVec4 => "ev.Vec4".into(),
            Type::EntityId => "ev.EntityId".into(),
            Type::Identity => "ev.Identity".into(),
            Type::Timestamp => "ev.Timestamp".into(),
            Type::Duration => "ev.Duration".into(),
            Type::String => "string".into(),
            Type::Enum(of) => named(&self.enums, of),
            Type::Struct(of) => named(&self.structs, of),
            Type::Array(of, _) | Type::List(of) => match typed_array(of) {
                Some(name) => name.into(),
                None => format!("Array<{}>", self.expression(place, of)?),
            },
            Type::Option(of) if matches!(**of, Type::Option(_)) => {
                return Err(CodegenError::NestedOption { place: place.into() });
            }
            Type::Option(of) => format!("{} | null", self.expression(place, of)?),
        })
    }
}

fn named<T: PartialEq>(declared: &[(T, String)], of: &T) -> String {
    let known = declared.iter().find(|(known, _)| known == of);
    known.expect("every type of a module is collected before it is written").1.clone()
}

/// Sequences of small numbers are typed arrays.
fn typed_array(of: &Type) -> Option<&'static str> {
    Some(match of {
        Type::U8 => "Uint8Array",
        Type::I8 => "Int8Array",
        Type::U16 => "Uint16Array",
        Type::I16 => "Int16Array",
        Type::U32 => "Uint32Array",
        Type::I32 => "Int32Array",
        Type::F32 => "Float32Array",
        Type::F64 => "Float64Array",
        _ => return None,
    })
}
