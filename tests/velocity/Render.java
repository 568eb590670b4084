import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringWriter;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.commons.lang.StringEscapeUtils;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.app.VelocityEngine;

/**
 * Renders mapping templates with Apache Velocity. A request is a line of fields in base64: template, body, and the maps of
 * header, querystring, path and context, each a form. The answer is a line too: the text, and what became of the context.
 */
public class Render {
    public static class Input {
        private final String body;
        private final Map<String, Map<String, String>> parameters;

        Input(String body, Map<String, Map<String, String>> parameters) {
            this.body = body;
            this.parameters = parameters;
        }

        public String getBody() {
            return body;
        }

        public Map<String, Map<String, String>> params() {
            return parameters;
        }

        public String params(String name) {
            for (String place : new String[] {"path", "querystring", "header"}) {
                if (parameters.get(place).containsKey(name)) {
                    return parameters.get(place).get(name);
                }
            }
            return "";
        }
    }

    public static class Util {
        public String urlEncode(String text) throws Exception {
            return URLEncoder.encode(text, "UTF-8");
        }

        public String urlDecode(String text) throws Exception {
            return URLDecoder.decode(text, "UTF-8");
        }

        public String escapeJavaScript(String text) {
            return StringEscapeUtils.escapeJavaScript(text);
        }

        public String base64Encode(String text) {
            return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
        }

        public String base64Decode(String text) {
            return new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
        }
    }

    public static void main(String[] arguments) throws Exception {
        VelocityEngine engine = new VelocityEngine();
        engine.setProperty("runtime.log.logsystem.class", "org.apache.velocity.runtime.log.NullLogChute");
        // A foreach over an empty map and a reference to nothing are no errors to API Gateway.
        engine.init();
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        PrintStream answers = new PrintStream(System.out, true, "US-ASCII");
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            String[] fields = line.split("\t", -1);
            Map<String, Map<String, String>> parameters = new LinkedHashMap<>();
            parameters.put("header", form(text(fields[2])));
            parameters.put("querystring", form(text(fields[3])));
            parameters.put("path", form(text(fields[4])));
            Map<String, Object> context = nested(form(text(fields[5])));
            context.put("requestOverride", overrides("header", "path", "querystring"));
            context.put("responseOverride", overrides("header"));
            VelocityContext variables = new VelocityContext();
            variables.put("input", new Input(text(fields[1]), parameters));
            variables.put("util", new Util());
            variables.put("context", context);
            variables.put("stageVariables", new LinkedHashMap<String, String>());
            StringWriter rendered = new StringWriter();
            engine.evaluate(variables, rendered, "template", text(fields[0]));
            answers.println(base64(rendered.toString()) + "\t" + base64(context.get("responseOverride").toString()));
        }
    }

    private static Map<String, Object> overrides(String... places) {
        Map<String, Object> map = new LinkedHashMap<>();
        for (String place : places) {
            map.put(place, new LinkedHashMap<String, Object>());
        }
        return map;
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> nested(Map<String, String> flat) {
        Map<String, Object> root = new LinkedHashMap<>();
        for (Map.Entry<String, String> entry : flat.entrySet()) {
            Map<String, Object> map = root;
            String[] names = entry.getKey().split("\\.");
            for (int at = 0; at < names.length - 1; at++) {
                map = (Map<String, Object>) map.computeIfAbsent(names[at], name -> new LinkedHashMap<String, Object>());
            }
            map.put(names[names.length - 1], entry.getValue());
        }
        return root;
    }

    private static Map<String, String> form(String form) throws Exception {
        Map<String, String> map = new LinkedHashMap<>();
        for (String pair : form.isEmpty() ? new String[0] : form.split("&")) {
            String[] parts = pair.split("=", 2);
            map.put(URLDecoder.decode(parts[0], "UTF-8"), URLDecoder.decode(parts[1], "UTF-8"));
        }
        return map;
    }

    private static String text(String base64) {
        return new String(Base64.getDecoder().decode(base64), StandardCharsets.UTF_8);
    }

    private static String base64(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
