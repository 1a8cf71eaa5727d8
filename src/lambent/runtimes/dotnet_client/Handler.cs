/* From the handler's name to what serves an event: `Assembly::Namespace.Type::Method`. */
using System;
using System.IO;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.Loader;
using System.Threading.Tasks;

namespace Lambent.Runtime;

internal sealed class Handler
{
    public const BindingFlags Declared = BindingFlags.DeclaredOnly | BindingFlags.Public | BindingFlags.NonPublic
        | BindingFlags.Instance | BindingFlags.Static;

    /// <summary>The function's.</summary>
    public readonly Assembly Assembly;

    private readonly Call _call;
    private readonly bool _takesInput;
    private readonly Type? _contextType;

    /// <summary>Null where the method takes the stream itself.</summary>
    private readonly Serializer? _input;

    private readonly bool _returnsTask;
    private readonly Waiter? _waiter;
    private readonly bool _returnsResult;

    /// <summary>Null where what comes of it is a stream.</summary>
    private readonly Serializer? _output;

    private readonly object? _serializer;

    /// <summary>
    /// Load what a handler's name names, and make its object.
    ///
    /// Throws LambdaValidationException, or what the function's own code throws.
    /// </summary>
    public Handler(string handler)
    {
        var name = handler.Split("::", 3);
        if (name.Length != 3 || name[0].Trim().Length == 0 || name[1].Trim().Length == 0 || name[2].Trim().Length == 0)
        {
            throw Refusals.OfName(handler, name);
        }
        Assembly = LoadAssembly(name[0].Trim());
        var type = Assembly.GetType(name[1].Trim()) ?? throw Refusals.NoType(name);
        var method = Find(type, name[2].Trim()) ?? Refusals.FindBySignature(type, name);
        if (method.IsAbstract || method.IsGenericMethod || type.IsGenericType || type.IsAbstract || !type.IsClass
            || (method.CallingConvention & CallingConventions.VarArgs) == CallingConventions.VarArgs)
        {
            Refusals.Check(type, method);
        }
        if (method.ReturnType == typeof(void) && method.IsDefined(typeof(AsyncStateMachineAttribute)))
        {
            throw Refusals.AsyncVoid(method);
        }
        var taken = method.GetParameters();
        var last = taken.Length - 1;
        if (last >= 0)
        {
            // Of attributes only where there may be one: looking for them takes as long as all of this.
            if (taken[last].ParameterType.IsArray && taken[last].IsDefined(typeof(ParamArrayAttribute)))
            {
                throw Refusals.Params(method);
            }
            _contextType = CoreLibrary.IsContext(taken[last].ParameterType) ? taken[last].ParameterType : null;
        }
        if (last > 1 || (last == 1 && _contextType == null))
        {
            throw Refusals.OfParameters(method, name, taken.Length);
        }
        object? self = null;
        if (method.IsStatic)
        {
            // Now, while the function is loaded, and not at the first event.
            RuntimeHelpers.RunClassConstructor(type.TypeHandle);
        }
        else
        {
            self = Activator.CreateInstance(type);
        }
        _takesInput = last == 1 || (last == 0 && _contextType == null);
        var input = _takesInput ? taken[0].ParameterType : typeof(object);
        var result = method.ReturnType;
        if (typeof(Task).IsAssignableFrom(result))
        {
            _returnsTask = true;
            result = ResultOf(result);
            if (result != typeof(void))
            {
                _waiter = (Waiter)Made(typeof(Waiter<>).MakeGenericType(result));
            }
        }
        _returnsResult = result != typeof(void);
        var readsStream = !_takesInput || input == typeof(Stream);
        var writesStream = !_returnsResult || typeof(Stream).IsAssignableFrom(result);
        if (_contextType != null || !readsStream || !writesStream)
        {
            _serializer = CoreLibrary.SerializerOf(method, Assembly);
        }
        if (!readsStream)
        {
            _input = SerializerFor(input, name, "deserialize input");
        }
        if (!writesStream)
        {
            _output = input == result && _input != null ? _input : SerializerFor(result, name, "serialize output");
        }
        var context = _contextType ?? typeof(object);
        _call = (Call)Made(method.ReturnType == typeof(void)
            ? typeof(Procedure<,>).MakeGenericType(input, context)
            : typeof(Function<,,>).MakeGenericType(input, context, method.ReturnType));
        _call.Bind(method, self, _takesInput, _contextType != null);
    }

    /// <summary>Run the handler and return the answer's bytes.</summary>
    public MemoryStream Invoke(Invocation invocation, Logs logs)
    {
        object? input = null;
        if (_takesInput)
        {
            var bytes = invocation.Body;
            var body = new MemoryStream(bytes, 0, bytes.Length, writable: false, publiclyVisible: true);
            input = _input == null ? body : _input.Read(body);
        }
        var context = _contextType == null ? null : Context.Of(_contextType, invocation, logs, _serializer);
        var result = _call.Run(input, context);
        if (_waiter != null)
        {
            result = _waiter.Wait(result!);
        }
        else if (_returnsTask)
        {
            ((Task)result!).GetAwaiter().GetResult();
        }
        var answer = new MemoryStream();
        if (_output != null)
        {
            _output.Write(result, answer);
        }
        else if (_returnsResult)
        {
            ((Stream)result!).CopyTo(answer);
        }
        // Without a result AWS's client posts nothing at all.
        return answer;
    }

    private static object Made(Type type) => Activator.CreateInstance(type)!;

    private static Assembly LoadAssembly(string name)
    {
        try
        {
            return AssemblyLoadContext.Default.LoadFromAssemblyName(new AssemblyName(name));
        }
        catch (Exception error)
        {
            throw Refusals.OfAssembly(name, error);
        }
    }

    /// <summary>Return the method of a type, or else of the nearest type above it, that has a name.</summary>
    private static MethodInfo? Find(Type type, string name)
    {
        for (var at = type; at != null; at = at.BaseType)
        {
            try
            {
                if (at.GetMethod(name, Declared) is { } found)
                {
                    return found;
                }
            }
            catch (AmbiguousMatchException)
            {
                throw Refusals.Overloads(at, name);
            }
        }
        return null;
    }

    /// <summary>Return the type of what comes of a task, void for a task without a result.</summary>
    private static Type ResultOf(Type task)
    {
        for (var at = task; at != null; at = at.BaseType)
        {
            if (at.IsConstructedGenericType && at.GetGenericTypeDefinition() == typeof(Task<>))
            {
                return at.GenericTypeArguments[0];
            }
        }
        return typeof(void);
    }

    private Serializer SerializerFor(Type type, string[] name, string what)
    {
        var made = (Serializer)Made(typeof(Serializer<>).MakeGenericType(type));
        made.Bind(_serializer ?? throw Refusals.NoSerializer(type, name, what));
        return made;
    }
}
