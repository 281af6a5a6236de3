package lockstep.config.files;

import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;
import org.xml.sax.helpers.DefaultHandler;

/**
 * Reads the parameters in a metatype document, which a bundle carries in {@code OSGI-INF/metatype}. The metatype service
 * would read it too, but does not tell the bounds of a value.
 */
final class Metatype {
    /** The server's own PIDs begin so; what other bundles of the framework describe is not its business. */
    static final String PID_PREFIX = "lockstep.";

    private Metatype() {}

    /**
     * Reads a document.
     *
     * @throws IOException if it is none, or declares a parameter that makes no sense; names the parameter
     */
    static List<Definition> read(InputStream in) throws IOException {
        Document document;
        try {
            DocumentBuilderFactory factory = DocumentBuilderFactory.newDefaultInstance();
            factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
            factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
            DocumentBuilder builder = factory.newDocumentBuilder();
            builder.setErrorHandler(new DefaultHandler()); // which throws, where the standard one also prints
            document = builder.parse(in);
        } catch (ParserConfigurationException | SAXException e) {
            throw new IOException("not a metatype document: " + e.getMessage(), e);
        }
        Map<String, Element> classes = new HashMap<>();
        for (Element ocd : elements(document.getDocumentElement(), "OCD")) {
            classes.put(ocd.getAttribute("id"), ocd);
        }
        List<Definition> definitions = new ArrayList<>();
        for (Element designate : elements(document.getDocumentElement(), "Designate")) {
            String pid = designate.getAttribute("pid");
            if (pid.startsWith(PID_PREFIX)) {
                for (Element object : elements(designate, "Object")) {
                    Element ocd = classes.get(object.getAttribute("ocdref"));
                    if (ocd != null) {
                        for (Element attribute : elements(ocd, "AD")) {
                            definitions.add(definition(pid, attribute));
                        }
                    }
                }
            }
        }
        return definitions;
    }

    private static Definition definition(String pid, Element attribute) throws IOException {
        String id = attribute.getAttribute("id");
        List<String> options = new ArrayList<>();
        elements(attribute, "Option").forEach(option -> options.add(option.getAttribute("value")));
        try {
            return Definition.of(
                    pid,
                    id,
                    attribute.getAttribute("type"),
                    // A default is a list whose separators are escaped when they are meant.
                    attribute.getAttribute("default").replaceAll("\\\\(.)", "$1"),
                    attribute.getAttribute("min"),
                    attribute.getAttribute("max"),
                    options,
                    attribute.getAttribute("description"));
        } catch (IllegalArgumentException e) {
            throw new IOException(id + " of " + pid + ": " + e.getMessage(), e);
        }
    }

    private static List<Element> elements(Element parent, String name) {
        NodeList nodes = parent.getElementsByTagName(name);
        List<Element> elements = new ArrayList<>();
        for (int i = 0; i < nodes.getLength(); i++) {
            elements.add((Element) nodes.item(i));
        }
        return elements;
    }
}
