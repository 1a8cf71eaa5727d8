/* What is wrong with a handler's name, or with what it names, in AWS's words: people search for them. */
using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;

namespace Lambent.Runtime;

/// <summary>The handler's name, or what it names, is none that can be served. Its own name is AWS's.</summary>
public sealed class LambdaValidationException : Exception
{
    public LambdaValidationException(string message)
        : base(message)
    {
    }
}

internal static class Refusals
{
    private const string Form = "The valid format is 'ASSEMBLY::TYPE::METHOD'.";

    public static LambdaValidationException OfName(string handler, string[] parts)
    {
        if (handler.Length == 0)
        {
            return new LambdaValidationException($"Empty lambda function handler. {Form}");
        }
        if (parts.Length != 3)
        {
            return new LambdaValidationException($"Invalid lambda function handler: '{handler}'. {Form}");
        }
        var missing = new[] { "assembly", "type", "method" }[Array.FindIndex(parts, part => part.Trim().Length == 0)];
        return new LambdaValidationException(
            $"Invalid lambda function handler: '{handler}', the {missing} is missing. {Form}");
    }

    public static LambdaValidationException OfAssembly(string name, Exception error)
    {
        if (error is FileNotFoundException missing)
        {
            // .NET says the same of a file that is none of its own.
            var path = Path.Combine(Environment.GetEnvironmentVariable("LAMBDA_TASK_ROOT") ?? "", name + ".dll");
            if (File.Exists(path))
            {
                Console.Error.WriteLine($"{path} is there, but .NET cannot read it as an assembly");
            }
            return new LambdaValidationException(
                $"Could not find the specified handler assembly with the file name '{missing.FileName}'. "
                + "The assembly should be located in the root of your uploaded .zip file.");
        }
        Console.Error.WriteLine(error);
        return new LambdaValidationException($"Unable to load assembly '{name}'.");
    }

    public static LambdaValidationException NoType(string[] name)
    {
        return new LambdaValidationException($"Unable to load type '{name[1].Trim()}' from assembly '{name[0].Trim()}'.");
    }

    /// <summary>Return the method that has what the handler names as its whole signature: how overloads are told apart.</summary>
    public static MethodInfo FindBySignature(Type type, string[] name)
    {
        var wanted = name[2].Trim();
        for (var at = type; at != null; at = at.BaseType)
        {
            foreach (var method in at.GetMethods(Handler.Declared))
            {
                if (method.ToString() == wanted)
                {
                    return method;
                }
            }
        }
        throw new LambdaValidationException(
            $"Unable to find method '{wanted}' in type '{name[1].Trim()}' from assembly '{name[0].Trim()}': "
            + $"Found no methods matching method name '{wanted}'.");
    }

    public static LambdaValidationException Overloads(Type type, string name)
    {
        var found = new List<string?>();
        foreach (var method in type.GetMethods(Handler.Declared))
        {
            if (method.Name == name)
            {
                found.Add(method.ToString());
            }
        }
        return new LambdaValidationException(
            $"The method '{name}' in type '{type.FullName}' appears to have a number of overloads. To call this method "
            + $"please specify a complete method signature. Possible candidates are:\n{string.Join("\n", found)}.");
    }

    /// <summary>Throw what is wrong with a method or with its type; return where both are unusual and right.</summary>
    public static void Check(Type type, MethodInfo method)
    {
        if (method.IsAbstract)
        {
            throw Unusable(
                method,
                "it is an abstract method. Handler methods cannot be abstract. "
                + "Please specify a non-abstract handler method.");
        }
        if (method.IsGenericMethod)
        {
            throw Unusable(
                method,
                "it is a generic method. Handler methods cannot be generic. "
                + "Please specify a non-generic handler method.");
        }
        if ((method.CallingConvention & CallingConventions.VarArgs) == CallingConventions.VarArgs)
        {
            throw Unusable(
                method,
                "it is a 'vararg (variable arguments)' method. Please specify a method that is not 'vararg'.");
        }
        if (type.IsGenericType)
        {
            throw new LambdaValidationException(
                $"The type '{type.FullName}' cannot be used as a Lambda Handler type because it is generic. Handler "
                + "methods cannot be located in generic types. Please specify a handler method in a non-generic type.");
        }
        if (!method.IsStatic && type.IsAbstract)
        {
            throw new LambdaValidationException(
                $"The instance method '{method}' cannot be used as a Lambda Handler because its type "
                + $"'{type.FullName}' is abstract. Please either use a static handler or specify a type that is not "
                + "abstract.");
        }
        if (!type.IsClass && (!type.IsValueType || type.IsPrimitive || type.IsEnum))
        {
            throw new LambdaValidationException(
                $"The type '{type.FullName}' cannot be used as a handler type since it is not a class or a struct. "
                + "Please specify a handler method on a class or struct.");
        }
    }

    public static LambdaValidationException AsyncVoid(MethodInfo method)
    {
        return Unusable(
            method,
            "it is an 'async void' method. Handler methods cannot be 'async void'. "
            + "Please specify a method that is not 'async void'.");
    }

    public static LambdaValidationException Params(MethodInfo method)
    {
        return Unusable(method, "it is a 'params' method. Please specify a method that does not use 'params'.");
    }

    public static LambdaValidationException OfParameters(MethodInfo method, string[] name, int count)
    {
        var beginning = $"Method '{method.Name}' of type '{name[1].Trim()}' is not supported: the method has ";
        return new LambdaValidationException(
            count > 2
                ? beginning + "more than 2 parameters."
                : beginning + $"2 parameters, but the second parameter is not of type '{CoreLibrary.ContextType}'.");
    }

    public static LambdaValidationException NoSerializer(Type type, string[] name, string what)
    {
        return new LambdaValidationException(
            $"Could not find the LambdaSerializerAttribute on the assembly '{name[0].Trim()}' or method "
            + $"'{name[2].Trim()}' while attempting to {what} data of type '{type.FullName}'. To use types other than "
            + "System.IO.Stream as input/output parameters, the assembly or Lambda function should be annotated with "
            + "Amazon.Lambda.Core.LambdaSerializerAttribute.");
    }

    private static LambdaValidationException Unusable(MethodInfo method, string why)
    {
        return new LambdaValidationException($"The method '{method}' cannot be used as a Lambda Handler because {why}");
    }
}
