export * from './host';
export { mount, Panel } from './mount';
