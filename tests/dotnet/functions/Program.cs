/* An executable assembly: the package's own program speaks to the Runtime API. */
using System;
using System.Net.Http;
using System.Threading.Tasks;

public static class Program
{
    public static async Task Main()
    {
        var api = $"http://{Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API")}/2018-06-01/runtime/invocation";
        using var client = new HttpClient { Timeout = TimeSpan.FromHours(1) };
        while (true)
        {
            using var next = await client.GetAsync($"{api}/next");
            var event_ = await next.Content.ReadAsStringAsync();
            var id = string.Join("", next.Headers.GetValues("Lambda-Runtime-Aws-Request-Id"));
            using var answered = await client.PostAsync($"{api}/{id}/response", new StringContent($"[{event_}]"));
        }
    }
}
