//! Random fields, values of them, and later versions of them that can be reached automatically.

use evertick_schema::{EnumType, EnumVariant, FieldDef, StructType, Type};

use crate::model::{Value, write};

/// A small generator of numbers (xorshift64*), so that a case is one seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 33) as usize % end
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    /// Between `min` and `max` fields. `flat` ones have a fixed size.
    pub(crate) fn fields(&mut self, min: usize, max: usize, depth: usize, flat: bool) -> Vec<FieldDef> {
        let count = min + self.below(max - min + 1);
        (0..count).map(|index| FieldDef::new(format!("f{index}"), self.ty(depth, flat))).collect()
    }

    fn ty(&mut self, depth: usize, flat: bool) -> Type {
        let plain = [
            Type::Bool,
            Type::U8,
            Type::I8,
            Type::U16,
            Type::I16,
            Type::U32,
            Type::I32,
            Type::U64,
            Type::I64,
            Type::F32,
            Type::F64,
            Type::Vec3,
            Type::EntityId,
            Type::Identity,
            Type::Timestamp,
        ];
        match self.below(if depth == 0 { 2 } else { 8 }) {
            0 | 2 | 6 => plain[self.below(plain.len())].clone(),
            1 => {
                let variants = (0..=self.below(4) as u32)
                    .map(|value| EnumVariant { name: format!("V{value}"), value: value * 3 });
                let size = [1, 2, 4][self.below(3)];
                Type::Enum(EnumType { name: "Kind".into(), size, variants: variants.collect() })
            }
            3 => Type::Array(Box::new(self.ty(depth - 1, true)), 1 + self.below(3) as u32),
            4 => Type::Struct(StructType { name: "Part".into(), fields: self.fields(1, 3, depth - 1, true) }),
            _ if flat => Type::U32,
            5 => Type::List(Box::new(self.ty(depth - 1, false))),
            _ if self.chance(2) => Type::String,
            _ => Type::Option(Box::new(self.ty(depth - 1, false))),
        }
    }

    /// A row of `fields`.
    pub(crate) fn row(&mut self, fields: &[FieldDef]) -> Vec<u8> {
        write(fields, &self.value_of_fields(fields))
    }

    fn value_of_fields(&mut self, fields: &[FieldDef]) -> Value {
        Value::Fields(fields.iter().map(|field| (field.name.clone(), self.value(&field.ty))).collect())
    }

    fn value(&mut self, ty: &Type) -> Value {
        let size = ty.size() as usize;
        let max = 3;
        match ty {
            Type::Bool => Value::Opaque(vec![self.below(2) as u8]),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
                Value::Int(i128::from(self.next() >> (64 - 8 * size as u32)))
            }
            Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
                Value::Int(i128::from(self.next().cast_signed() >> (64 - 8 * size as u32)))
            }
            Type::F32 => Value::Float(f64::from(self.next() as f32 - 1e19)),
            Type::F64 => Value::Float(self.next() as f64 / 3.0),
            Type::Enum(of) => Value::Variant(of.variants[self.below(of.variants.len())].name.clone()),
            Type::Struct(of) => self.value_of_fields(&of.fields),
            Type::Array(of, len) => Value::Elements((0..*len).map(|_| self.value(of)).collect()),
            Type::List(of) => Value::Elements((0..self.below(max + 1)).map(|_| self.value(of)).collect()),
            Type::Option(of) => Value::Elements((0..self.below(2)).map(|_| self.value(of)).collect()),
            Type::String => Value::Elements((0..self.below(9)).map(|_| Value::Int(0x61)).collect()),
            _ => Value::Opaque((0..size).map(|_| self.next() as u8).collect()),
        }
    }

    /// A later version of `fields`: some gone, renamed, wider, in another place, and some new with a default.
    pub(crate) fn evolve(&mut self, fields: &[FieldDef]) -> Vec<FieldDef> {
        let mut new = Vec::new();
        for field in fields {
            if self.chance(6) {
                continue;
            }
            let mut field = FieldDef::new(&field.name, self.evolve_type(&field.ty));
            if self.chance(4) {
                field.was = Some(std::mem::replace(&mut field.name, format!("r{}", new.len())));
            }
            let at = if self.chance(3) { self.below(new.len() + 1) } else { new.len() };
            new.insert(at, field);
        }
        while new.is_empty() || self.chance(3) {
            let flat = self.chance(2);
            let mut field = FieldDef::new(format!("n{}", new.len()), self.ty(1, flat));
            field.default = Some(self.row(std::slice::from_ref(&field)));
            let at = self.below(new.len() + 1);
            new.insert(at, field);
        }
        new
    }

    fn evolve_type(&mut self, ty: &Type) -> Type {
        let wider: &[Type] = match ty {
            Type::U8 => &[Type::U16, Type::U32, Type::U64, Type::I16, Type::I32, Type::I64],
            Type::U16 => &[Type::U32, Type::U64, Type::I32, Type::I64],
            Type::U32 => &[Type::U64, Type::I64],
            Type::I8 => &[Type::I16, Type::I32, Type::I64],
            Type::I16 => &[Type::I32, Type::I64],
            Type::I32 => &[Type::I64],
            Type::F32 => &[Type::F64],
            _ => &[],
        };
        match ty {
            Type::Enum(of) => {
                let mut of = of.clone();
                if self.chance(2) {
                    let value = if self.chance(2) { 1 } else { 200 };
                    let at = self.below(of.variants.len() + 1);
                    of.variants.insert(at, EnumVariant { name: "Later".into(), value });
                }
                if self.chance(3) {
                    of.variants.iter_mut().for_each(|variant| variant.value += 7);
                    of.size = 4;
                }
                Type::Enum(of)
            }
            Type::Array(of, len) => Type::Array(Box::new(self.evolve_type(of)), *len),
            Type::List(of) => Type::List(Box::new(self.evolve_type(of))),
            Type::Option(of) => Type::Option(Box::new(self.evolve_type(of))),
            Type::Struct(of) => {
                let fields = self.evolve_flat(&of.fields);
                Type::Struct(StructType { name: of.name.clone(), fields })
            }
            ty if wider.is_empty() || self.chance(2) => ty.clone(),
            _ => wider[self.below(wider.len())].clone(),
        }
    }

    /// As [`Random::evolve`], with fields of fixed size only.
    fn evolve_flat(&mut self, fields: &[FieldDef]) -> Vec<FieldDef> {
        let mut new = self.evolve(fields);
        new.retain(|field| field.ty.is_flat());
        if new.is_empty() {
            new.push(FieldDef { default: Some(vec![7]), ..FieldDef::new("n0", Type::U8) });
        }
        new
    }
}
