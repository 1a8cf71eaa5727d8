package lambent.runtime;

import java.lang.reflect.AccessibleObject;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A class with properties.
 *
 * <p>Read: by setters, whoever may see them, and public fields. Written: by public getters and public fields, null left
 * out; in the order of the fields, and those above first. Names as the Introspector of java.beans makes them. Records
 * by their components; the events of S3, which have neither setters nor such a constructor, by their fields.
 */
final class Bean extends Codec {
    private final Type type;
    private final Class<?> raw;
    private final boolean isOfFields;
    private Map<String, Property> properties;

    Bean(Type type, Class<?> raw) {
        this.type = type;
        this.raw = raw;
        isOfFields = Events.isOfFields(raw);
    }

    private static final class Property {
        private String name;
        private Type type;
        private Method getter;
        private Method setter;
        private final List<Method> setters = new ArrayList<>(1);
        private Field field;
        private int place = -1;
        private Codec codec;

        /** Take what is missing from another property, whose member in JSON is the same. */
        private void complete(Property other) {
            getter = getter == null ? other.getter : getter;
            if (setter == null && other.setter != null) {
                setter = other.setter;
                type = other.type;
            }
            type = type == null ? other.type : type;
        }

        private Codec codec(Class<?> owner) {
            if (codec == null) {
                codec = Events.isDate(owner, type) ? new Times.EventDate() : Codecs.of(type);
            }
            return codec;
        }
    }

    // -- reading ----------------------------------------------------------------------------------------------------

    @Override
    Object read(JsonReader in) {
        int next = in.peek();
        if (next == '[') {
            return Codecs.unwrapped(in, this);
        }
        if (in.isEmptyText()) {
            return null;
        }
        if (next != '{') {
            throw new IllegalArgumentException("Cannot construct instance of `" + raw.getName() + "` from a scalar value");
        }
        if (raw.isRecord()) {
            return readRecord(in);
        }
        Object bean = isOfFields ? Events.empty(raw) : Codecs.instanceOf(raw);
        in.open('{');
        while (in.hasNext('}')) {
            String name = in.name();
            Property property = properties().get(name);
            if (property == null || (property.setter == null && property.field == null)) {
                in.skip();
                continue;
            }
            Object value;
            try {
                value = in.value(property.codec(raw));
                set(property, bean, value);
            } catch (IllegalArgumentException | ArithmeticException | IllegalAccessException unfitting) {
                throw new IllegalArgumentException(raw.getName() + "[\"" + name + "\"]: " + unfitting.getMessage(), unfitting);
            } catch (InvocationTargetException thrown) {
                throw new IllegalArgumentException(raw.getName() + "[\"" + name + "\"]: " + thrown.getCause(), thrown.getCause());
            }
        }
        if (isOfFields) {
            Events.complete(bean);
        }
        return bean;
    }

    private static void set(Property property, Object bean, Object value)
            throws IllegalAccessException, InvocationTargetException {
        if (property.setter != null) {
            property.setter.invoke(bean, value);
        } else {
            property.field.set(bean, value);
        }
    }

    private Object readRecord(JsonReader in) {
        RecordComponent[] components = raw.getRecordComponents();
        Class<?>[] types = new Class<?>[components.length];
        Object[] values = new Object[components.length];
        for (int place = 0; place < components.length; place++) {
            types[place] = components[place].getType();
            values[place] = Codecs.of(types[place]).ofNull();
        }
        in.open('{');
        while (in.hasNext('}')) {
            Property property = properties().get(in.name());
            if (property == null || property.place < 0) {
                in.skip();
            } else {
                values[property.place] = in.value(property.codec(raw));
            }
        }
        try {
            Constructor<?> constructor = raw.getDeclaredConstructor(types);
            constructor.setAccessible(true);
            return constructor.newInstance(values);
        } catch (InvocationTargetException thrown) {
            throw new IllegalArgumentException(
                    "Cannot construct instance of `" + raw.getName() + "`: " + thrown.getCause(), thrown.getCause());
        } catch (ReflectiveOperationException refused) {
            throw new IllegalArgumentException("Cannot construct instance of `" + raw.getName() + "`", refused);
        }
    }

    // -- writing ----------------------------------------------------------------------------------------------------

    @Override
    void write(JsonWriter out, Object bean) {
        out.open('{');
        for (Property property : properties().values()) {
            if (property.getter == null && property.field == null) {
                continue;
            }
            Object value = valueOf(property, bean);
            if (value == null) {
                continue;
            }
            if (value == bean) {
                throw new IllegalArgumentException("Direct self-reference leading to cycle (through "
                        + raw.getName() + "[\"" + property.name + "\"])");
            }
            out.name(property.name);
            if (Events.isDate(raw, property.type)) {
                out.value(value, property.codec(raw));
            } else {
                out.value(value);
            }
        }
        out.close('}');
    }

    private Object valueOf(Property property, Object bean) {
        try {
            return property.getter == null ? property.field.get(bean) : property.getter.invoke(bean);
        } catch (InvocationTargetException thrown) {
            throw new IllegalArgumentException(
                    raw.getName() + "[\"" + property.name + "\"]: " + thrown.getCause(), thrown.getCause());
        } catch (IllegalAccessException refused) {
            throw new IllegalArgumentException(raw.getName() + "[\"" + property.name + "\"]: " + refused, refused);
        }
    }

    // -- properties -------------------------------------------------------------------------------------------------

    private Map<String, Property> properties() {
        Map<String, Property> known = properties;
        if (known == null) {
            known = properties = discovered();
        }
        return known;
    }

    private Map<String, Property> discovered() {
        Map<TypeVariable<?>, Type> variables = Types.variablesOf(type);
        List<Class<?>> line = new ArrayList<>();
        for (Class<?> one = raw; one != null && one != Object.class; one = one.getSuperclass()) {
            line.add(0, one);
        }
        Map<String, Property> found = new LinkedHashMap<>();
        for (Class<?> one : line) {
            for (Field field : one.getDeclaredFields()) {
                addField(found, field, variables);
            }
        }
        if (raw.isRecord()) {
            addComponents(found, variables);
        }
        if (!isOfFields) {
            // Fields of what is above come first, methods last, as Jackson collects them.
            for (int place = line.size() - 1; place >= 0; place--) {
                for (Method method : line.get(place).getDeclaredMethods()) {
                    addMethod(found, method, variables);
                }
            }
            for (Method method : raw.getMethods()) {
                // Those that interfaces bring.
                addMethod(found, method, variables);
            }
        }
        for (Property property : found.values()) {
            if (property.setters.size() > 1) {
                choose(property, variables);
            }
        }
        Map<String, Property> named = new LinkedHashMap<>();
        for (Map.Entry<String, Property> one : found.entrySet()) {
            Property property = one.getValue();
            if (property.getter != null || property.setter != null || property.field != null || property.place >= 0) {
                property.name = Events.nameOf(raw, one.getKey());
                Property other = named.putIfAbsent(property.name, property);
                if (other != null) {
                    other.complete(property);
                }
            }
        }
        return named;
    }

    private void addField(Map<String, Property> found, Field field, Map<TypeVariable<?>, Type> variables) {
        int modifiers = field.getModifiers();
        if (Modifier.isStatic(modifiers) || Modifier.isTransient(modifiers) || field.isSynthetic()) {
            return;
        }
        Property property = propertyOf(found, field.getName());
        if ((Modifier.isPublic(modifiers) || isOfFields) && !raw.isRecord() && open(field)) {
            property.field = field;
            property.type = Types.resolve(field.getGenericType(), variables);
        }
    }

    private void addComponents(Map<String, Property> found, Map<TypeVariable<?>, Type> variables) {
        RecordComponent[] components = raw.getRecordComponents();
        for (int place = 0; place < components.length; place++) {
            Property property = found.get(components[place].getName());
            property.place = place;
            property.type = Types.resolve(components[place].getGenericType(), variables);
            if (open(components[place].getAccessor())) {
                property.getter = components[place].getAccessor();
            }
        }
    }

    private void addMethod(Map<String, Property> found, Method method, Map<TypeVariable<?>, Type> variables) {
        String name = method.getName();
        if (Modifier.isStatic(method.getModifiers()) || method.isBridge() || method.isSynthetic()
                || method.getDeclaringClass() == Object.class) {
            return;
        }
        Class<?> returned = method.getReturnType();
        boolean isGetter = method.getParameterCount() == 0 && Modifier.isPublic(method.getModifiers()) && returned != void.class;
        boolean isBoolean = returned == boolean.class || returned == Boolean.class;
        if (isGetter && name.startsWith("get") && name.length() > 3) {
            addGetter(found, decapitalized(name.substring(3)), method, variables);
        } else if (isGetter && isBoolean && name.startsWith("is") && name.length() > 2) {
            addGetter(found, decapitalized(name.substring(2)), method, variables);
        } else if (method.getParameterCount() == 1 && name.startsWith("set") && name.length() > 3 && !raw.isRecord()) {
            addSetter(found, decapitalized(name.substring(3)), method, variables);
        }
    }

    private static void addGetter(
            Map<String, Property> found, String name, Method method, Map<TypeVariable<?>, Type> variables) {
        Property property = propertyOf(found, name);
        // The lowest class comes first; there `get` is better than `is`.
        boolean isBetter = property.getter == null
                || property.getter.getName().startsWith("is") && method.getName().startsWith("get");
        if (property.place < 0 && isBetter && open(method)) {
            property.getter = method;
            if (property.setter == null) {
                property.type = Types.resolve(method.getGenericReturnType(), variables);
            }
        }
    }

    private static void addSetter(
            Map<String, Property> found, String name, Method method, Map<TypeVariable<?>, Type> variables) {
        Property property = propertyOf(found, name);
        property.setters.add(method);
        if (property.setter == null && open(method)) {
            property.setter = method;
            property.type = Types.resolve(method.getGenericParameterTypes()[0], variables);
        }
    }

    /** Of several setters take the one for the type that the getter returns, then the one for a text. */
    private static void choose(Property property, Map<TypeVariable<?>, Type> variables) {
        Class<?> wanted = property.getter != null ? property.getter.getReturnType() : String.class;
        for (Method setter : property.setters) {
            if (setter.getParameterTypes()[0] == wanted && open(setter)) {
                property.setter = setter;
                property.type = Types.resolve(setter.getGenericParameterTypes()[0], variables);
                return;
            }
        }
    }

    private static Property propertyOf(Map<String, Property> found, String name) {
        Property property = found.get(name);
        if (property == null) {
            property = new Property();
            found.put(name, property);
        }
        return property;
    }

    /** Whether we may use a member, whoever else may. */
    private static boolean open(AccessibleObject member) {
        try {
            member.setAccessible(true);
            return true;
        } catch (RuntimeException closed) {
            // A class of the JDK: its public members can be used where its package is open to all.
            return member instanceof Method method && Modifier.isPublic(method.getDeclaringClass().getModifiers())
                    && Modifier.isPublic(method.getModifiers())
                    && method.getDeclaringClass().getModule().isExported(method.getDeclaringClass().getPackageName());
        }
    }

    /** `URL` stays, `Name` becomes `name`. */
    private static String decapitalized(String name) {
        boolean isAcronym = name.length() > 1 && Character.isUpperCase(name.charAt(0)) && Character.isUpperCase(name.charAt(1));
        return isAcronym ? name : Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }
}
