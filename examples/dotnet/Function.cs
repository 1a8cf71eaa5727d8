using Amazon.Lambda.Core;

[assembly: LambdaSerializer(typeof(Amazon.Lambda.Serialization.SystemTextJson.DefaultLambdaJsonSerializer))]

namespace Example;

public record Request(string? Name);

public record Answer(string Greeting, string Function, string? Runtime);

public class Function
{
    public Answer Handle(Request request, ILambdaContext context)
    {
        context.Logger.LogInformation($"greeting {request.Name ?? "world"}");
        return new Answer(
            $"Hello, {request.Name ?? "world"}!",
            context.FunctionName,
            System.Environment.GetEnvironmentVariable("AWS_EXECUTION_ENV"));
    }
}
