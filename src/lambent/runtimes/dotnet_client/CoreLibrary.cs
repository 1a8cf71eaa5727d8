/*
 * The function's own Amazon.Lambda.Core, of whichever version the package holds: found by its names.
 *
 * Nothing here refers to that library, so that there is no version of it that would not fit.
 */
using System;
using System.Reflection;

namespace Lambent.Runtime;

internal static class CoreLibrary
{
    public const string ContextType = "Amazon.Lambda.Core.ILambdaContext";

    private const string AssemblyName = "Amazon.Lambda.Core";
    private const string SerializerType = "Amazon.Lambda.Core.ILambdaSerializer";
    private const string SerializerAttribute = "Amazon.Lambda.Core.LambdaSerializerAttribute";

    /// <summary>The library once it is loaded; null for a function that uses nothing of it.</summary>
    public static Assembly? Loaded;

    private static Logs? _logs;

    public static bool IsContext(Type type) => type.FullName == ContextType;

    /// <summary>Let the library's LambdaLogger write to our logs from the moment on when it is loaded.</summary>
    public static void Connect(Logs logs)
    {
        _logs = logs;
        AppDomain.CurrentDomain.AssemblyLoad += Connect;
    }

    private static void Connect(object? sender, AssemblyLoadEventArgs loading)
    {
        if (Loaded == null && loading.LoadedAssembly.GetName().Name == AssemblyName)
        {
            Loaded = loading.LoadedAssembly;
            ConnectLogger(Loaded.GetType("Amazon.Lambda.Core.LambdaLogger"));
        }
    }

    /// <summary>Return the serializer that an attribute of the method, or else of the assembly, names; null for none.</summary>
    public static object? SerializerOf(MethodInfo method, Assembly assembly)
    {
        // Loads the library where nothing has done so yet; without it there is no such attribute.
        if (Type.GetType(SerializerAttribute + ", " + AssemblyName) is not { } wanted)
        {
            return null;
        }
        var attribute = Attribute.GetCustomAttribute(method, wanted, false) ?? Attribute.GetCustomAttribute(assembly, wanted, false);
        if (attribute == null)
        {
            return null;
        }
        var given = wanted.GetProperty("SerializerType")?.GetMethod
            ?? throw new LambdaValidationException(
                $"The '{SerializerAttribute}' class is invalid: no 'SerializerType' property detected.");
        if (given.CreateDelegate<Func<Type?>>(attribute)() is not { } type)
        {
            throw new LambdaValidationException(
                $"The 'SerializerType' property on attribute class '{SerializerAttribute}' is not set.");
        }
        if (type.GetConstructor(Type.EmptyTypes) is not { } constructor)
        {
            throw new LambdaValidationException(
                $"The indicated serializer '{type.FullName}' does not define a public zero-parameter constructor.");
        }
        if (type.GetInterface(SerializerType) == null)
        {
            throw new LambdaValidationException(
                $"The '{type.FullName}' class is invalid: it does not implement the 'ILambdaSerializer' interface.");
        }
        return constructor.Invoke(null);
    }

    /// <summary>Return a method of a serializer's interface for a type.</summary>
    public static MethodInfo SerializerMethod(object serializer, string name, Type type)
    {
        var method = serializer.GetType().GetInterface(SerializerType)?.GetMethod(name);
        if (method is not { IsGenericMethodDefinition: true } || method.GetGenericArguments().Length != 1)
        {
            throw new LambdaValidationException(
                $"The type '{SerializerType}' does not match the expected shape of '{SerializerType}': "
                + $"'{name}' method not found.");
        }
        return method.MakeGenericMethod(type);
    }

    private static void ConnectLogger(Type? logger)
    {
        Set(logger, "_loggingAction", new Action<string>(Log));
        Set(logger, "_loggingWithLevelAction", new Action<string, string, object[]>(Log));
        Set(logger, "_loggingWithLevelAndExceptionAction", new Action<string, Exception, string, object[]>(Log));
    }

    private static void Log(string message) => _logs!.Write(null, null, message, null, null);

    private static void Log(string level, string message, object[] values) =>
        _logs!.Write(Logs.LevelOf(level), level, message, values, null);

    private static void Log(string level, Exception error, string message, object[] values) =>
        _logs!.Write(Logs.LevelOf(level), level, message, values, error);

    private static void Set(Type? logger, string name, Delegate action)
    {
        // Older versions have fewer of them.
        var field = logger?.GetField(name, BindingFlags.Static | BindingFlags.NonPublic);
        if (field != null && field.FieldType.IsInstanceOfType(action))
        {
            field.SetValue(null, action);
        }
    }
}
