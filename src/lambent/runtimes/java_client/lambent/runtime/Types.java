package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** Generic types, resolved. */
final class Types {
    private Types() {
    }

    /** Return the class behind a type. */
    static Class<?> raw(Type type) {
        if (type instanceof Class<?> known) {
            return known;
        }
        if (type instanceof ParameterizedType known) {
            return (Class<?>) known.getRawType();
        }
        if (type instanceof GenericArrayType array) {
            return Array.newInstance(raw(array.getGenericComponentType()), 0).getClass();
        }
        if (type instanceof WildcardType wildcard) {
            return raw(wildcard.getUpperBounds()[0]);
        }
        return raw(((TypeVariable<?>) type).getBounds()[0]);
    }

    /** Return what the variables of a class and of all above it stand for; those that nothing says stay themselves. */
    static Map<TypeVariable<?>, Type> variablesOf(Type type) {
        Map<TypeVariable<?>, Type> known = new HashMap<>();
        collect(type, known);
        return known;
    }

    private static void collect(Type type, Map<TypeVariable<?>, Type> known) {
        if (type == null) {
            return;
        }
        Class<?> raw = raw(type);
        if (type instanceof ParameterizedType one) {
            TypeVariable<?>[] variables = raw.getTypeParameters();
            Type[] arguments = one.getActualTypeArguments();
            for (int place = 0; place < variables.length; place++) {
                known.putIfAbsent(variables[place], resolve(arguments[place], known));
            }
        }
        collect(raw.getGenericSuperclass(), known);
        for (Type above : raw.getGenericInterfaces()) {
            collect(above, known);
        }
    }

    /** Return the arguments that a class gives an interface which it has; null where it has it raw. */
    static Type[] argumentsOf(Type type, Class<?> wanted) {
        Map<TypeVariable<?>, Type> known = variablesOf(type);
        TypeVariable<?>[] variables = wanted.getTypeParameters();
        Type[] found = new Type[variables.length];
        for (int place = 0; place < variables.length; place++) {
            found[place] = known.get(variables[place]);
            if (found[place] == null) {
                return null;
            }
        }
        return found;
    }

    static Type resolve(Type type, Map<TypeVariable<?>, Type> known) {
        if (type instanceof TypeVariable<?> variable) {
            Type found = known.get(variable);
            return found == null ? variable : found;
        }
        if (type instanceof ParameterizedType one) {
            Type[] arguments = one.getActualTypeArguments();
            Type[] resolved = new Type[arguments.length];
            for (int place = 0; place < arguments.length; place++) {
                resolved[place] = resolve(arguments[place], known);
            }
            return Arrays.equals(arguments, resolved) ? type : new Parameterized(raw(type), resolved);
        }
        if (type instanceof GenericArrayType array) {
            Type component = resolve(array.getGenericComponentType(), known);
            return Array.newInstance(raw(component), 0).getClass();
        }
        if (type instanceof WildcardType wildcard) {
            return resolve(wildcard.getUpperBounds()[0], known);
        }
        return type;
    }

    private record Parameterized(Class<?> raw, Type[] arguments) implements ParameterizedType {
        @Override
        public Type[] getActualTypeArguments() {
            return arguments.clone();
        }

        @Override
        public Type getRawType() {
            return raw;
        }

        @Override
        public Type getOwnerType() {
            return null;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof ParameterizedType one && one.getRawType() == raw
                    && Arrays.equals(one.getActualTypeArguments(), arguments);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(arguments) ^ raw.hashCode();
        }
    }
}
